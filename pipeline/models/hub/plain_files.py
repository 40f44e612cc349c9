"""Files of one commit without the links of the library's cache, for a network whose weights lie beside it.

onnxruntime reads such weights from the real folder of the network alone, and in the library's cache both files are
links to others, named after their digests.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from pipeline.config.hub_address import HubFile
from pipeline.errors import ModelError
from pipeline.runtime.resources import cache_folder


def plain_files(file: HubFile, paths: Mapping[str, Path]) -> Path:
    """The network in a folder with its weights.

    Parameters
    ----------
    file
        At a commit.
    paths
        By their names in the repository, the network and its weights in the library's cache.

    Raises
    ------
    ModelError
        The folder cannot be written.
    """
    folder = cache_folder() / "hub" / file.repository.replace("/", "--") / str(file.commit)
    try:
        for name, path in paths.items():
            _place(path.resolve(), folder / name)
    except OSError as error:
        raise ModelError(
            f"model.path is {file}, whose files are kept in {folder} too, and that cannot be written "
            f"({error.strerror}). Make room, or set WHOLECLOTH_CACHE to a folder of yours."
        ) from error
    return folder / file.file


def _place(path: Path, target: Path) -> None:
    """A second name of a file; a copy where the folders are of two disks."""
    if target.is_file() and target.stat().st_size == path.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        try:
            os.link(path, partial)
        except OSError:
            shutil.copyfile(path, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
