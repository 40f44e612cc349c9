"""What huggingface_hub raises, as a paragraph: what was given, what is there, and what to change.

The library's own texts are left out: they hold addresses with signatures.
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Callable
from difflib import get_close_matches

from pipeline.config.hub_address import HubFile
from pipeline.errors import ModelError, PipelineError, Unfinished
from pipeline.models.hub.library import cache_of_hub, is_offline, repository_files, repository_revisions, server
from pipeline.models.weights.file_type import ENDINGS

RETRY_STATUSES = (408, 425, 429)
"""Answers of a server that may be asked again, beside those from 500 on."""
SHOWN_NAMES = 5
LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN"


def is_outage(error: BaseException) -> bool:
    """Whether no server was asked, or none answered."""
    error = _cause(error)
    status = _status(error)
    if status is not None:
        return status in RETRY_STATUSES or status >= 500
    return bool(_names(error) & {"OfflineModeIsEnabled", "ConnectionError", "TransportError", "Timeout"})


def hub_fault(file: HubFile, error: BaseException, name: str | None = None) -> PipelineError:
    """The error of ours for what the library raised.

    Parameters
    ----------
    file
        What was asked for.
    error
        Of the library, its transport or the disk.
    name
        The file in the repository, where it is another one beside ``file``.
    """
    error = _cause(error)
    given, names = f"model.path is {file}", _names(error)
    if is_outage(error):
        return _outage(file, error, name or file.file)
    for kind, paragraph in PARAGRAPHS.items():
        if kind in names:
            return ModelError(f"{given}, but {paragraph(file, name or file.file)}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        return ModelError(
            f"{given}, but {cache_of_hub()}, where it is kept, cannot be written ({error.strerror}). Make room, or set "
            f"HF_HOME to a folder of yours."
        )
    status = _status(error)
    reason = f"refused it with status {status}" if status else f"gave no file ({type(error).__name__})"
    hint = f"The token that is set may not be one of this server. {LOG_IN}." if status in (401, 403) else _by_hand(file)
    return ModelError(f"{given}, but {server()} {reason}. {hint}")


def _outage(file: HubFile, error: BaseException, name: str) -> PipelineError:
    command = _command(file, name)
    missing = f"model.path is {file}, of which {name} is not in the cache {cache_of_hub()}"
    if is_offline():
        return ModelError(
            f"{missing}, and HF_HUB_OFFLINE is set, so that no server is asked. Fetch it where there is a network, "
            f"with `{command}` and the same HF_HOME, or unset HF_HUB_OFFLINE."
        )
    status = _status(error)
    reason = f"answers with status {status}" if status else f"cannot be reached ({type(error).__name__})"
    return Unfinished(
        f"{missing}, and {server()} {reason}. Run the same command again later, or fetch the file where there is a "
        f"network, with `{command}` and the same HF_HOME."
    )


def _gated(file: HubFile, name: str) -> str:
    return (
        f"{file.repository} is open only to those whom its owner lets in. Ask for access on "
        f"{server()}/{file.repository}. {LOG_IN}."
    )


def _no_repository(file: HubFile, name: str) -> str:
    return (
        f"{server()} has no model repository {file.repository} that may be read from here. Check its name. "
        f"Where it is private: {LOG_IN[0].lower()}{LOG_IN[1:]}."
    )


def _disabled(file: HubFile, name: str) -> str:
    return f"{server()} has closed {file.repository}. Name a file of another repository."


def _no_revision(file: HubFile, name: str) -> str:
    revision = file.commit or file.revision
    names = _near_names(revision, lambda: repository_revisions(file))
    return f"{file.repository} has no branch, tag or commit {revision}. Give one that it has{names}."


def _no_file(file: HubFile, name: str) -> str:
    names = _near_names(name, lambda: repository_files(file))
    return f"{file.repository} has no file {name} at {file.commit or file.revision}. Give one that it has{names}."


PARAGRAPHS: dict[str, Callable[[HubFile, str], str]] = {
    "GatedRepoError": _gated,
    "RepositoryNotFoundError": _no_repository,
    "DisabledRepoError": _disabled,
    "RevisionNotFoundError": _no_revision,
    "EntryNotFoundError": _no_file,
    "HFValidationError": _no_repository,
}
"""By the names of the library's errors, whose modules differ from release to release; the narrower ones come first."""


def _near_names(name: str, listing: Callable[[], list[str]]) -> str:
    """Names like one, else those of networks, as the end of a sentence; empty where the server does not list them."""
    try:
        names = listing()
    except Exception:  # the first error says what is wrong
        return ""
    networks = [other for other in names if other.lower().endswith(ENDINGS)]
    near = get_close_matches(name, names, SHOWN_NAMES, 0.5)
    shown = list(dict.fromkeys([*near, *(networks or names)]))[:SHOWN_NAMES]
    return f": {', '.join(shown)}" if shown else ""


def _by_hand(file: HubFile) -> str:
    return f"Fetch it with `{_command(file, file.file)}`."


def _command(file: HubFile, name: str) -> str:
    """What fetches a file into the cache beforehand."""
    parts = ["hf", "download", file.repository, name, "--revision", file.commit or file.revision]
    return " ".join(map(shlex.quote, parts))


def _cause(error: BaseException) -> BaseException:
    """What is behind the library's word that a file is not in its cache."""
    if "LocalEntryNotFoundError" in _names(error) and error.__cause__ is not None:
        return error.__cause__
    return error


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _status(error: BaseException) -> int | None:
    """The status that a server answered with; None where none answered."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None
