"""A description by its path: found, read once, and told by its format."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.descriptions.bioimage import format_0_4, format_0_5
from pipeline.models.descriptions.bioimage.description import ModelDescription
from pipeline.models.descriptions.document import parse_document
from pipeline.models.descriptions.marks import BIOIMAGE_NAMES, YAML_ENDINGS
from pipeline.models.descriptions.package import Package, find_package

FORMAT_READERS: dict[str, Callable[[dict[str, Any], Package], ModelDescription]] = {
    "0.4": format_0_4.from_format_0_4,
    "0.5": format_0_5.from_format_0_5,
}
"""Readers by the first two numbers of the version."""


def read_model(path: Path) -> ModelDescription | None:
    """What a package states of its model.

    Parameters
    ----------
    path
        A folder with a description, the description itself, or a zip file of both.

    Returns
    -------
    ModelDescription or None
        None where the path is no package, such as a file of weights.

    Raises
    ------
    ModelError
        The description cannot be read, is of another format, lacks a part, or the archive is not safe.
    """
    package = find_package(path, BIOIMAGE_NAMES, YAML_ENDINGS)
    return None if package is None else _description(package, package.content())


@lru_cache(maxsize=8)
def _description(package: Package, content: bytes) -> ModelDescription:
    document = parse_document(content, package.name)
    if document.get("type", "model") != "model":
        raise ModelError(f"{package.name} describes a {document['type']}, and model.path needs a model.")
    version = str(document.get("format_version", ""))
    read = FORMAT_READERS.get(".".join(version.split(".")[:2]))
    if read is None:
        stated = f"is of format {version}" if version else "states no format_version, as descriptions of bioimage.io do"
        raise ModelError(
            f"{package.name} {stated}; formats 0.4 and 0.5 of bioimage.io are read. Download the model as it is "
            f"published now, or give the file of weights itself as model.path."
        )
    return read(document, package)
