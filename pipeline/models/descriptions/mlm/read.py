"""An MLM description by its path: a STAC item, or the metadata in an archive of exported programs."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.errors import ModelError
from pipeline.models.descriptions import archive
from pipeline.models.descriptions.document import MAX_BYTES, parse_document
from pipeline.models.descriptions.json_document import parse_json_document
from pipeline.models.descriptions.marks import ITEM_ENDINGS, METADATA_MEMBERS
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import AssetPart, PropertiesPart, ResolutionPart
from pipeline.models.descriptions.parts import explained

MLM_PREFIX = "mlm:"
ITEM_MARKS = (b'"mlm:', b'"stac_version"')
"""What a JSON file holds that is meant as an item of STAC."""
BAND_FIELDS = ("bands", "eo:bands", "raster:bands")
NEWEST_MAJOR = "1"
"""First number of the versions that are read."""

_VERSION = re.compile(r"mlm[^/\s]*/v?(\d+)\.(\d+)[^/\s]*/")


def read_mlm_description(path: Path) -> MlmDescription | None:
    """What a STAC item with the MLM extension states, or the metadata of a ``.pt2`` archive.

    Parameters
    ----------
    path
        Of ``model.path``.

    Returns
    -------
    MlmDescription or None
        None where the path is neither.

    Raises
    ------
    ModelError
        The description cannot be read, is of another version, lacks a part, or the archive is not safe.
    """
    if not path.is_file():
        return None
    if path.suffix.lower() in ITEM_ENDINGS:
        content = _beginning(path)
        return _item(path, content) if any(mark in content for mark in ITEM_MARKS) else None
    if not archive.is_package(path, METADATA_MEMBERS):
        return None
    members = archive.members(path)
    entry = next(
        entry for name, entry in members.items() if any(archive.is_top_member(name, one) for one in METADATA_MEMBERS)
    )
    return _metadata(path, entry.filename, archive.read_member(path, entry, MAX_BYTES))


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"model.path {path} cannot be read: {error.strerror}. Give another file.") from error


@lru_cache(maxsize=8)
def _item(path: Path, content: bytes) -> MlmDescription:
    name = str(path)
    document = parse_json_document(content, name)
    properties = document.get("properties")
    if document.get("type") != "Feature" or not isinstance(properties, dict):
        kind = document.get("type", "nothing that is named")
        raise ModelError(
            f"{name} is of STAC, but of type {kind}; a model is described by an item, whose type is Feature. Give the "
            f"item of the model, as its catalogue has it."
        )
    if not any(key.startswith(MLM_PREFIX) for key in properties):
        raise ModelError(
            f"{name} is an item of STAC without the fields of the MLM extension (mlm:input, mlm:output …), so that it "
            f"describes no model. Give the item of the model; the item of a scene is source.path, with kind: stac."
        )
    with explained(name):
        assets = TypeAdapter(dict[str, AssetPart]).validate_python(document.get("assets") or {})
    sections = [properties, *(part for key, part in (document.get("assets") or {}).items() if assets[key].is_model)]
    return MlmDescription(
        path=path,
        name=name,
        version=_version(document, name),
        properties=_properties(properties, name),
        assets=assets,
        bands=_bands(sections, name),
        gsd=_gsd(properties, name),
    )


@lru_cache(maxsize=8)
def _metadata(path: Path, member: str, content: bytes) -> MlmDescription:
    name = f"{member} in {path}"
    is_json = content.lstrip().startswith(b"{")
    document = parse_json_document(content, name) if is_json else parse_document(content, name)
    properties = document.get("properties", document)
    if not isinstance(properties, dict):
        raise ModelError(f"{name} has no section properties that could be read. Mend it, or give model.kind: exported.")
    return MlmDescription(
        path=path,
        name=name,
        version=_version(document, name),
        properties=_properties(properties, name),
        bands=_bands([properties], name),
        gsd=_gsd(properties, name),
    )


def _properties(section: dict[str, Any], name: str) -> PropertiesPart:
    with explained(name):
        return PropertiesPart.model_validate(
            {str(key).removeprefix(MLM_PREFIX): value for key, value in section.items()}
        )


def _bands(sections: list[Any], name: str) -> tuple[ResolutionPart, ...]:
    """Of the item and of its models, whichever extension describes them."""
    listed = [band for section in sections for field in BAND_FIELDS for band in _dicts(section.get(field))]
    with explained(f"{name}, among its bands,"):
        return tuple(ResolutionPart.model_validate(band) for band in listed)


def _dicts(listed: object) -> list[Any]:
    return [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []


def _gsd(properties: dict[str, Any], name: str) -> float | None:
    with explained(name):
        return ResolutionPart.model_validate({"gsd": properties.get("gsd")}).gsd


def _version(document: dict[str, Any], name: str) -> str:
    """Of the extension, as its schema is named."""
    stated = document.get("stac_extensions")
    names = [document.get("$schema"), *(stated if isinstance(stated, list) else [])]
    version_match = next((one for name in names if isinstance(name, str) and (one := _VERSION.search(name))), None)
    if version_match is None:
        return ""
    version = f"{version_match[1]}.{version_match[2]}"
    if version_match[1] != NEWEST_MAJOR:
        raise ModelError(
            f"{name} is of version {version} of the MLM extension, and versions {NEWEST_MAJOR}.x are read. Upgrade, or "
            f"give the file of the network itself with model.kind."
        )
    return version
