"""Which commit a branch or a tag stands for."""

from __future__ import annotations

from pipeline.config.hub_address import HubFile
from pipeline.models.hub.faults import hub_fault, is_outage
from pipeline.models.hub.library import (
    SHORT_TIMEOUT_S,
    cached_file,
    commit_of,
    download,
    head_commit,
    is_offline,
    server,
    without_progress,
)

SHORT_COMMIT = 12
"""Characters of a commit in a sentence."""


def resolve(file: HubFile, *, silent: bool = False) -> tuple[HubFile, tuple[str, ...]]:
    """The commit at which a branch or tag stands now; where no server answers, at which the cache saw it last.

    Parameters
    ----------
    file
        At a branch or tag. Its bytes are fetched as well, since the cache then notes the commit.
    silent
        Show no progress of the download.

    Returns
    -------
    tuple
        The file at its commit, and what is to be told of it.

    Raises
    ------
    ModelError, Unfinished
        There is no such revision, or nobody to ask and nothing in the cache.
    """
    try:
        head_commit(file)  # by itself, as a download falls back to the cache without a word
        with without_progress(silent):
            return file.at(commit_of(download(file), file)), ()
    except Exception as error:  # of the library, of its transport, of a proxy, or of the disk
        if not is_outage(error) or (cached := cached_file(file)) is None:
            raise hub_fault(file, error) from None
        commit = commit_of(cached, file)
        return file.at(commit), (_unasked(file, commit),)


def revision_remarks(file: HubFile) -> tuple[str, ...]:
    """A sentence where a branch or tag has moved since it was resolved; nothing where the server does not say."""
    if file.pin is None or is_offline():
        return ()
    try:
        commit = head_commit(file, SHORT_TIMEOUT_S)
    except Exception as error:  # as above; a file that is gone from the branch is an answer with a commit
        answer = getattr(error, "response", None)
        commit = None if answer is None else answer.headers.get("X-Repo-Commit")
    return () if commit in (None, file.pin) else (_moved(file, str(commit)),)


def _moved(file: HubFile, commit: str) -> str:
    return (
        f"model.path: {file.revision} of {file.repository} was at commit {file.pin} when it was resolved, and is at "
        f"{commit} now. This job stays with {_short(file.pin)}. For the newer network, name @{commit} and another "
        f"output.path."
    )


def _unasked(file: HubFile, commit: str) -> str:
    reason = "HF_HUB_OFFLINE is set" if is_offline() else f"{server()} does not answer"
    return (
        f"model.path: {reason}, so {file.revision} of {file.repository} is taken at commit {commit}, where it was "
        f"when it was fetched last."
    )


def _short(commit: str | None) -> str:
    return (commit or "")[:SHORT_COMMIT]
