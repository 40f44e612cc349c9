"""What is asked of huggingface_hub, which has the cache, the token, the retries and the progress of downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.config.hub_address import HubFile
from pipeline.redact import redacted
from pipeline.runtime.optional_imports import require

PURPOSE = "A model.path that begins with hf://"
SHORT_TIMEOUT_S = 3.0
"""For the server's answer to a question that a job can do without."""


def hub_library() -> ModuleType:
    """The module of the library that fetches files; raises ExtraError where it is not installed."""
    return require("huggingface_hub.file_download", "hub", PURPOSE)


def server() -> str:
    """The address of the hub that is asked, without a password."""
    return redacted(str(hub_library().constants.ENDPOINT))


def cache_of_hub() -> str:
    """The folder where the library keeps files."""
    return str(hub_library().constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Whether the library is told to ask no server."""
    return bool(hub_library().constants.HF_HUB_OFFLINE)


def cached_file(file: HubFile, name: str | None = None) -> Path | None:
    """The file, or another one of the same commit, in the cache; None where it is not there.

    Of a branch that was never resolved, at the commit where the library saw the branch last.
    """
    cached = hub_library().try_to_load_from_cache(
        file.repository, name or file.file, revision=file.commit or file.revision
    )
    return Path(cached) if isinstance(cached, str) else None


def is_absent(file: HubFile, name: str) -> bool:
    """Whether the cache knows that a commit has no file of a name."""
    library = hub_library()
    cached = library.try_to_load_from_cache(file.repository, name, revision=file.commit)
    return cached is not None and not isinstance(cached, str)


def commit_of(path: Path, file: HubFile) -> str:
    """The commit of a file in the cache: ``…/snapshots/COMMIT/path/in/the/repository``."""
    return path.parts[-1 - len(file.file.split("/"))]


def head_commit(file: HubFile, timeout: float | None = None) -> str | None:
    """The commit at which a branch or tag stands, as the server says within a time, s; raises the library's errors."""
    timeout = hub_library().constants.HF_HUB_ETAG_TIMEOUT if timeout is None else timeout
    commit = _metadata(file, file.file, file.revision, timeout).commit_hash
    return None if commit is None else str(commit)


def require_on_server(file: HubFile, name: str, timeout: float) -> None:
    """Ask once, for a time, s, whether a commit has a file of a name; raises the library's errors."""
    _metadata(file, name, file.commit or file.revision, timeout)


def _metadata(file: HubFile, name: str, revision: str, timeout: float) -> Any:
    library = hub_library()
    url = library.hf_hub_url(file.repository, name, revision=revision)
    return library.get_hf_file_metadata(url, timeout=timeout)


def download(file: HubFile, name: str | None = None) -> Path:
    """A file of a commit, branch or tag, from the cache or the server; raises the library's errors.

    Of a branch the cache notes the commit, by which the file is found where no server answers.
    """
    revision = file.commit or file.revision
    return Path(hub_library().hf_hub_download(file.repository, name or file.file, revision=revision))


def repository_files(file: HubFile) -> list[str]:
    """The files of the repository at the revision, by a question to the server; raises the library's errors."""
    information = _questions().model_info(file.repository, revision=file.commit or file.revision)
    return [entry.rfilename for entry in information.siblings or ()]


def repository_revisions(file: HubFile) -> list[str]:
    """Branches and tags of the repository, by a question to the server; raises the library's errors."""
    references = _questions().list_repo_refs(file.repository)
    return [reference.name for reference in (*references.branches, *references.tags)]


def _questions() -> Any:
    """The object of the library that asks the server about repositories."""
    return require("huggingface_hub", "hub", PURPOSE).HfApi()


@contextmanager
def without_progress(silent: bool) -> Iterator[None]:
    """While it is open, downloads draw no bars where that is asked for."""
    utils = require("huggingface_hub.utils", "hub", PURPOSE)
    if not silent or utils.are_progress_bars_disabled() or os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS"):
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()
