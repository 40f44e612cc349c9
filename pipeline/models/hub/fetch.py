"""A file of one commit, on this machine: from the cache, else from the server, and as the hub lists it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from pipeline.config.hub_address import FOLDER_DOCUMENT, HubFile
from pipeline.errors import ModelError
from pipeline.models.hub.companions import companions
from pipeline.models.hub.faults import hub_fault, is_outage
from pipeline.models.hub.library import (
    SHORT_TIMEOUT_S,
    cached_file,
    download,
    is_absent,
    is_offline,
    require_on_server,
    without_progress,
)
from pipeline.models.hub.plain_files import plain_files
from pipeline.models.weights import sha256

BLOBS = "blobs"
"""The folder of the cache in which each file bears its digest as a name."""


def fetch(file: HubFile, *, silent: bool = False) -> Path:
    """The file, with files beside it that belong to its network.

    Parameters
    ----------
    file
        At a commit.
    silent
        Show no progress of the download.

    Raises
    ------
    ModelError, Unfinished
        It cannot be had, or came as another one than the hub lists.
    """
    path = _checked(_present(file, file.file, silent), file)
    if PurePosixPath(file.file).name == FOLDER_DOCUMENT:
        return _folder(file, path, silent)
    weights = {}
    for name, required in companions(path, file.file):
        beside = _companion(file, name, required, silent or not required)
        if beside is not None and required:
            weights[name] = _checked(beside, file)
    return plain_files(file, {file.file: path, **weights}) if weights else path


def _folder(file: HubFile, document: Path, silent: bool) -> Path:
    """The document of a folder of save_pretrained, with its weights and its processor beside it."""
    from pipeline.models.descriptions.pretrained.read import PROCESSOR_NAME, read_config_document
    from pipeline.models.descriptions.pretrained.weights import WEIGHT_NAMES

    network = read_config_document(document)
    if network is None or network.fault is not None:  # what is read next says what is wrong
        return document
    folder, (preferred, second) = PurePosixPath(file.file).parent, WEIGHT_NAMES
    name = str(folder / preferred)
    weights = _companion(file, name, False, silent)
    if weights is None:
        name = str(folder / second)
        weights = _present(file, name, silent)
    processor = _companion(file, str(folder / PROCESSOR_NAME), False, silent)
    steps = {} if processor is None else {str(folder / PROCESSOR_NAME): processor}
    return plain_files(file, {file.file: document, name: _checked(weights, file), **steps})


def _present(file: HubFile, name: str, silent: bool) -> Path:
    cached = cached_file(file, name)
    if cached is not None:
        return cached
    try:
        with without_progress(silent):
            return download(file, name)
    except Exception as error:  # of the library, of its transport, or of the disk
        raise hub_fault(file, error, name) from None


def _companion(file: HubFile, name: str, required: bool, silent: bool) -> Path | None:
    """A file beside the network; None where the network does without it, and it cannot be had."""
    if required:
        return _present(file, name, silent)
    cached = cached_file(file, name)
    return cached if cached is not None or is_absent(file, name) or is_offline() else _offered(file, name, silent)


def _offered(file: HubFile, name: str, silent: bool) -> Path | None:
    """A file that need not be there, from the server; None where there is none, as most often, or no answer."""
    try:
        require_on_server(file, name, SHORT_TIMEOUT_S)  # a download would try again and again
    except Exception as error:  # as above
        if is_outage(error):
            return None
    try:
        with without_progress(silent):
            return download(file, name)  # which notes in the cache that there is none
    except Exception:  # as above
        return None


def _checked(path: Path, file: HubFile) -> Path:
    """The path; raises ModelError where its bytes are not those that the hub lists.

    The library compares lengths alone. In its cache a file is a link to one that is named after its digest, if the
    file system has links.
    """
    if not path.is_symlink() or path.readlink().parent.name != BLOBS:
        return path
    listed = path.readlink().name
    actual = sha256(path) if re.fullmatch(r"[0-9a-f]{64}", listed) else _git_digest(path)
    if len(listed) == len(actual) and listed != actual:
        raise ModelError(
            f"model.path is {file}, whose file in the cache was damaged: its digest is {actual}, and the hub lists "
            f"{listed}. Delete {path.resolve()} and run again, which fetches it anew."
        )
    return path


def _git_digest(path: Path) -> str:
    """SHA-1 of a file as git names it (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
