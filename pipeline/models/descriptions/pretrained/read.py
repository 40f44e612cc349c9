"""A folder by its path: ``config.json`` is read once, and the library that wrote it is told by its keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.models.descriptions.document import MAX_BYTES
from pipeline.models.descriptions.json_document import parse_json_document
from pipeline.models.descriptions.marks import CONFIG_NAMES
from pipeline.models.descriptions.package import Package, find_package
from pipeline.models.descriptions.pretrained.described_model import PretrainedModel
from pipeline.models.descriptions.pretrained.network import LibraryNetwork
from pipeline.models.descriptions.pretrained.segmentation_models import SMP_LIBRARY, smp_network
from pipeline.models.descriptions.pretrained.semantic_segmentation import TRANSFORMERS_LIBRARY, transformers_network

PROCESSOR_NAME = "preprocessor_config.json"
"""How transformers prepares images; segmentation_models_pytorch has no such file."""
LIBRARY_READERS: dict[str, Callable[[dict[str, Any], dict[str, Any] | None], LibraryNetwork | None]] = {
    SMP_LIBRARY: smp_network,
    TRANSFORMERS_LIBRARY: transformers_network,
}
"""Readers of the two documents; one returns None where another library wrote them."""


def read_folder(path: Path) -> PretrainedModel | None:
    """What a folder states of its network.

    Parameters
    ----------
    path
        A folder with ``config.json``, that file itself, or a zip file that holds it.

    Returns
    -------
    PretrainedModel or None
        None where the path is no such folder, or another library wrote it.

    Raises
    ------
    ModelError
        A document cannot be read, or states what no network can be made of.
    """
    package = find_package(path, CONFIG_NAMES)
    if package is None:
        return None
    processor = package.file(PROCESSOR_NAME) if package.holds(PROCESSOR_NAME) else None
    return _described(package, package.content(), None if processor is None else _content(processor))


def _content(path: Path) -> bytes:
    """The bytes of a document, cut off beyond what is allowed."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def read_config_document(path: Path) -> LibraryNetwork | None:
    """What ``config.json`` states by itself, whatever lies beside it; raises ModelError as `read_folder`."""
    return _network(_content(path), None, str(path))


@lru_cache(maxsize=8)
def _described(package: Package, content: bytes, processor: bytes | None) -> PretrainedModel | None:
    network = _network(content, processor, package.name)
    return None if network is None else PretrainedModel(package, network)


def _network(content: bytes, processor: bytes | None, name: str) -> LibraryNetwork | None:
    document = parse_json_document(content, name)
    steps = None if processor is None else parse_json_document(processor, f"{PROCESSOR_NAME} beside {name}")
    networks = (read(document, steps) for read in LIBRARY_READERS.values())
    return next((network for network in networks if network is not None), None)
