"""The group ``labels`` of an OME-Zarr: the names of the label images in it, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import zarr

from pipeline.locations import Place
from pipeline.store import metadata
from pipeline.store.files import files_at
from pipeline.store.files.objects import zarr_path

LABELS = "labels"
GROUP_FILES = ("zarr.json", ".zgroup", ".zattrs")
"""Files by which a folder is a group, and its attributes."""


def label_names(place: Place) -> list[str]:
    """Label images that a store or an image names, those of others among them."""
    attributes = node_attributes(place, LABELS)
    names = attributes.get("ome", attributes).get("labels", [])
    return [str(name) for name in names]


def write_label_names(place: Place, names: list[str]) -> None:
    """Replace the names of the label images; what else the group says stays."""
    group = open_node(place, LABELS)
    attributes: dict[str, Any] = dict(group.attrs)
    others = {key: value for key, value in attributes.items() if key not in ("ome", "labels")}
    named = metadata.labels_attributes(names, group.metadata.zarr_format)
    more = {key: value for key, value in attributes.get("ome", {}).items() if key not in ("version", "labels")}
    if more:
        named["ome"] = {"version": attributes["ome"].get("version", "0.5"), **more, **named.get("ome", {})}
    group.attrs.put({**others, **named})


def node_attributes(place: Place, folder: str) -> dict[str, Any]:
    """Attributes of a group below a store or an image; nothing where there is no group."""
    return dict(open_node(place, folder).attrs) if has_node(place, folder) else {}


def has_node(place: Place, folder: str) -> bool:
    """Whether there is a group below a store or an image."""
    return any(files_at(place).exists(f"{folder}/{name}") for name in GROUP_FILES[:2])


def make_group(folder: str, zarr_format: Literal[2, 3], empty: Path) -> None:
    """Build a group for `put_nodes`."""
    zarr.create_group(empty / folder, zarr_format=zarr_format)


def open_node(place: Place, folder: str) -> zarr.Group:
    """A group that is there, to be written."""
    return zarr.open_group(zarr_path(place, folder), mode="r+", use_consolidated=False)


def sync_nodes(place: Place, folders: tuple[str, ...]) -> None:
    """Make the metadata of groups and arrays durable."""
    files = files_at(place)
    names = (*GROUP_FILES, ".zarray")
    files.sync(key for folder in folders for name in names if files.exists(key := f"{folder}/{name}"))
