"""A label image in the OME-Zarr of an image: ``labels/NAME``, its arrays and whether readers are told of it.

The group ``labels`` names it once it is whole, and no longer from the moment at which it is begun anew. Its own group
says from the start by which store it was written. Nothing else of the image is written, but for consolidated metadata
where the image has some.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import ZstdCodec
from zarr.errors import ContainsArrayError, ZarrUserWarning

from pipeline.locations import Place
from pipeline.store.files import files_at
from pipeline.store.files.built_nodes import delete_node, put_nodes
from pipeline.store.files.objects import zarr_path
from pipeline.store.label_groups import (
    GROUP_FILES,
    LABELS,
    has_node,
    label_names,
    make_group,
    node_attributes,
    open_node,
    sync_nodes,
    write_label_names,
)
from pipeline.store.lifecycle import META_KEY
from pipeline.store.ome_image import OmeImage, group_attributes
from pipeline.store.spec import ClassRow

MAX_GROUPS_ABOVE = 3
"""Groups above an image whose consolidated metadata is brought up to date: plates keep images some folders down."""
_SYNCED_AT_ONCE = 10_000
"""Files that are made durable at once."""


def label_folder(name: str) -> str:
    """Of a label image, below the group of its image."""
    return f"{LABELS}/{name}"


def written_by(image: Place, name: str) -> dict[str, Any] | None:
    """What a label image says of the store that it was written for; None where it says nothing of one."""
    try:
        document = node_attributes(image, label_folder(name)).get(META_KEY)
    except ContainsArrayError:
        return None
    return document if isinstance(document, dict) else None


def label_exists(image: Place, name: str) -> bool:
    """Whether anything has the place of a label image."""
    return next(iter(files_at(image).list(label_folder(name))), None) is not None


def is_named(image: Place, name: str) -> bool:
    """Whether readers are told of a label image."""
    return name in label_names(image)


def begin_label(image: OmeImage, name: str, document: Mapping[str, Any]) -> None:
    """Have no reader find a label image, and empty its place.

    Parameters
    ----------
    image
        The image, which is held.
    name
        Of the label image.
    document
        What it says of the store that it is written for.
    """
    if is_named(image.place, name):
        write_label_names(image.place, [other for other in label_names(image.place) if other != name])
        sync_nodes(image.place, (LABELS,))
        _consolidate(image.place)
    folder = label_folder(name)
    if written_by(image.place, name) is None:  # it is to be replaced, whatever it is
        delete_node(image.place, folder)
    for group in (LABELS, folder):
        if not has_node(image.place, group):
            put_nodes(image.place, partial(make_group, group, image.zarr_format))
    open_node(image.place, folder).attrs.put({META_KEY: dict(document)})
    sync_nodes(image.place, (folder,))
    inside = (key.removeprefix(f"{folder}/").split("/")[0] for key in files_at(image.place).list(folder))
    for child in sorted(set(inside) - set(GROUP_FILES)):
        delete_node(image.place, f"{folder}/{child}")


def create_label_level(
    image: OmeImage,
    name: str,
    level: int,
    *,
    shape: Sequence[int],
    side: tuple[int, int | None],
    dtype: str,
    nodata: int,
) -> zarr.Array[Any]:
    """Make the empty array of a level.

    Parameters
    ----------
    image, name, level
        Which.
    shape
        Along the axes of the label image, px.
    side
        Of a chunk, px; of a shard, or None.
    dtype, nodata
        Of the codes; nodata is what is not written.
    """
    ones = (1,) * (len(shape) - 2)
    chunk, shard = side
    v3, folder = image.zarr_format == 3, f"{label_folder(name)}/{level}"

    def build(empty: Path) -> None:
        zarr.create_array(
            empty / folder,
            shape=tuple(shape),
            chunks=(*ones, chunk, chunk),
            shards=(*ones, shard, shard) if v3 and shard and shard != chunk else None,
            dtype=dtype,
            fill_value=nodata,
            compressors=ZstdCodec(level=3) if v3 else _zstd_v2(),
            zarr_format=image.zarr_format,
            chunk_key_encoding=None if v3 else {"name": "v2", "separator": "/"},  # OME 0.4 asks for it
            dimension_names=[str(axis["name"]) for axis in label_axes(image)] if v3 else None,
        )

    put_nodes(image.place, build)
    return zarr.open_array(zarr_path(image.place, folder), mode="r+", config={"write_empty_chunks": False})


def label_axes(image: OmeImage) -> list[Mapping[str, Any]]:
    """Axes of a label image: those of its image but channels."""
    return [axis for axis in image.axes if axis.get("type") != "channel" and axis.get("name") != "c"]


def publish_label(image: OmeImage, name: str, attributes: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Name a whole label image to readers.

    Parameters
    ----------
    image, name
        Which.
    attributes
        Of OME.
    document
        What it says of the store that it was written for.
    """
    folder = label_folder(name)
    _sync_below(image.place, folder)
    open_node(image.place, folder).attrs.put({**attributes, META_KEY: dict(document)})
    sync_nodes(image.place, (folder,))
    write_label_names(image.place, list(dict.fromkeys([*label_names(image.place), name])))
    sync_nodes(image.place, (LABELS,))
    _consolidate(image.place)


def ome_attributes(
    image: OmeImage, name: str, levels: Sequence[Sequence[Mapping[str, Any]]], classes: Sequence[ClassRow]
) -> dict[str, Any]:
    """What OME's readers are told of a label image.

    Parameters
    ----------
    image, name
        Which.
    levels
        ``coordinateTransformations`` of each.
    classes
        Of the mask. Those of role ``background`` are clear, so that the image is seen through them.
    """
    datasets = [
        {"path": str(level), "coordinateTransformations": [dict(change) for change in changes]}
        for level, changes in enumerate(levels)
    ]
    axes = [dict(axis) for axis in label_axes(image)]
    multiscale: dict[str, Any] = {"name": name, "axes": axes, "datasets": datasets, "type": "mode"}
    if image.changes:
        multiscale["coordinateTransformations"] = [dict(change) for change in without_channels(image, image.changes)]
    label = {
        # readers want properties of the same values, and nodata is no class
        "colors": [
            {"label-value": row.code, "rgba": [*row.rgb, 0 if row.role == "background" else 255]} for row in classes
        ],
        "properties": [{"label-value": row.code, "class": row.name} for row in classes],
        "source": {"image": "../../"},
    }
    if image.zarr_format == 2:
        return {"multiscales": [{"version": "0.4", **multiscale}], "image-label": {"version": "0.4", **label}}
    return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}}


def without_channels(image: OmeImage, changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``coordinateTransformations`` without the numbers of the axis of channels."""
    stays = [axis in label_axes(image) for axis in image.axes]
    return [
        {
            key: [number for number, is_kept in zip(value, stays, strict=True) if is_kept]
            if key in ("scale", "translation")
            else value
            for key, value in change.items()
        }
        for change in changes
    ]


def _zstd_v2() -> Any:
    from numcodecs.zstd import Zstd

    return Zstd(level=3)


def _sync_below(place: Place, folder: str) -> None:
    keys = iter(files_at(place).list(folder))
    while batch := list(islice(keys, _SYNCED_AT_ONCE)):
        files_at(place).sync(batch)


def _consolidate(image: Place) -> None:
    """Bring consolidated metadata up to date, of the image and of groups above it, where there is some."""
    for place in (image, *_above(image)):
        if not _is_consolidated(place):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZarrUserWarning)  # v3 has no standard for it yet
            zarr.consolidate_metadata(zarr_path(place))
        files = files_at(place)
        files.sync(name for name in (*GROUP_FILES, ".zmetadata") if files.exists(name))


def _above(image: Place) -> Iterator[Place]:
    """Groups that an image lies in, the nearest first."""
    place = Path(image).absolute() if isinstance(image, Path) else image
    for _ in range(MAX_GROUPS_ABOVE):
        place = place.parent
        if group_attributes(place) is None:
            return
        yield place


def _is_consolidated(place: Place) -> bool:
    files = files_at(place)
    root = json.loads(files.get("zarr.json") or b"{}")
    return files.exists(".zmetadata") or bool(root.get("consolidated_metadata"))
