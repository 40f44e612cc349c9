"""A bundle by its path: found, read once, and its parts checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pipeline.models.descriptions.document import parse_document
from pipeline.models.descriptions.json_document import parse_json_document
from pipeline.models.descriptions.marks import EMBEDDED_METADATA, INFERENCE_ENDINGS, METADATA_FILE
from pipeline.models.descriptions.monai.metadata import DATA_FORMAT, MetadataPart
from pipeline.models.descriptions.monai.network_definition import NetworkDefinition, network_definition
from pipeline.models.descriptions.monai.references import BundleConfig
from pipeline.models.descriptions.package import Package, find_package
from pipeline.models.descriptions.parts import explained
from pipeline.models.weights.file_type import TORCHSCRIPT, detect_file_type

INFERENCE = "inference"
"""The config, beside the metadata, that says how the network is run."""
BUNDLE_KEYS = {DATA_FORMAT, "monai_version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle says."""

    package: Package
    metadata: MetadataPart
    config: BundleConfig | None
    """None where it has none, so that steps and network are not known."""
    config_file: str | None
    """Its name in the bundle."""
    network: NetworkDefinition | None
    is_embedded: bool
    """Whether all of it is inside the file of weights."""


def read_bundle(path: Path) -> Bundle | None:
    """What a bundle states of its model.

    Parameters
    ----------
    path
        A folder with ``configs/metadata.json``, that file itself, a zip file of both, or a TorchScript file with the
        metadata in it.

    Returns
    -------
    Bundle or None
        None where the path is no bundle, such as a plain file of weights.

    Raises
    ------
    ModelError
        The metadata cannot be read or lack a part, or the archive is not safe.
    """
    package = find_package(path, (METADATA_FILE,))
    if package is not None:
        return _bundle(package, package.content(), *_config_of(package, "configs"), False)
    if not path.is_file() or (package := find_package(path, (EMBEDDED_METADATA,))) is None:
        return None
    content = package.content()
    if detect_file_type(path) != TORCHSCRIPT or not BUNDLE_KEYS & parse_json_document(content, package.name).keys():
        return None
    return _bundle(package, content, *_config_of(package, "extra"), True)


def _config_of(package: Package, folder: str) -> tuple[str | None, bytes]:
    names = [f"{folder}/{INFERENCE}.{ending}" for ending in INFERENCE_ENDINGS]
    name = next((name for name in names if package.holds(name)), None)
    return name, b"" if name is None else package.read(name)


@lru_cache(maxsize=8)
def _bundle(package: Package, content: bytes, config_file: str | None, text: bytes, is_embedded: bool) -> Bundle:
    with explained(package.name):
        metadata = MetadataPart.model_validate(parse_json_document(content, package.name))
    config = None if config_file is None else read_config(text, config_file, f"{config_file} of {package.path}")
    return Bundle(
        package=package,
        metadata=metadata,
        config=config,
        config_file=config_file,
        network=None if config is None else network_definition(config),
        is_embedded=is_embedded,
    )


def read_config(text: bytes, file: str, name: str) -> BundleConfig:
    """A config by the ending of its file; raises ModelError, which calls it ``name``, where it cannot be read."""
    parse = parse_json_document if PurePosixPath(file).suffix == ".json" else parse_document
    return BundleConfig(parse(text, name), name)
