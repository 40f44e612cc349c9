"""How large a pixel of an OME-Zarr is, by the ``multiscales`` of the group that holds its array."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rasterio.io import DatasetReader

from pipeline.sources.gdal.pixel_size import PixelSize, length
from pipeline.store.ome_levels import (
    PLANE,
    LevelPlace,
    axis_scale,
    image_axes,
    image_levels,
    images_of,
    level_place,
    mappings_of,
    um_per_axis,
)

ARRAY_METADATA = (".zarray", "zarr.json")
"""Files that describe an array, of Zarr v2 and v3."""
GROUP_METADATA = (".zattrs", "zarr.json")
"""Files with the attributes of a group."""
DEPTH = 3
"""Groups above an array that are looked at: plates and labels keep images some folders down."""


def ome_size(dataset: DatasetReader) -> PixelSize | None:
    """The size that the scale of an array's level has; None where none is said, or not in a unit of length.

    Source: https://ngff.openmicroscopy.org/0.5/ (coordinateTransformations), with OME-Zarr 0.4 for Zarr v2. Remote
    arrays are not looked at.
    """
    array = next((Path(name).parent for name in dataset.files if Path(name).name in ARRAY_METADATA), None)
    if array is None:
        return None
    for group in list(array.absolute().parents)[:DEPTH]:
        inner = array.absolute().relative_to(group).as_posix()
        for attributes in _attributes(group):
            if (size := level_size(images_of(attributes), inner)) is not None:
                return size
    return None


def ome_document(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """OME's part of the attributes of a group: all of them in OME-Zarr 0.4, ``ome`` in 0.5."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def channels_of(attributes: Mapping[str, Any]) -> list[str] | None:
    """Labels of the channels by ``omero`` among the attributes of a group; None where not all have one."""
    document = ome_document(attributes)
    omero = document.get("omero")
    channels = mappings_of(omero.get("channels")) if isinstance(omero, Mapping) else []
    labels = [str(channel.get("label", "")) for channel in channels]
    return labels if labels and all(labels) else None


def level_size(images: Sequence[Mapping[str, Any]], inner: str) -> PixelSize | None:
    """The size of a pixel of the level whose array has a path below the group; None where none is said."""
    return next((_size(image, level) for image, level in image_levels(images, inner)), None)


def level_axes(images: Sequence[Mapping[str, Any]], inner: str) -> list[str] | None:
    """Names of the dimensions of that array; None where none is said."""
    return next(
        (
            [str(axis.get("name")) for axis in mappings_of(image.get("axes"))]
            for image, _ in image_levels(images, inner)
        ),
        None,
    )


def _attributes(group: Path) -> Iterator[Mapping[str, Any]]:
    """Attributes of a group, whether Zarr v2 or v3 wrote them."""
    for name in GROUP_METADATA:
        try:
            document = json.loads((group / name).read_bytes())
            attributes = document.get("attributes", {}) if name == "zarr.json" else document
        except (OSError, ValueError, AttributeError):  # no group
            continue
        if isinstance(attributes, Mapping):
            yield attributes


def _size(image: Mapping[str, Any], level: Mapping[str, Any]) -> PixelSize | None:
    axes = image_axes(image)
    if not set(PLANE) <= axes.keys():
        return None
    sizes = []
    for name in PLANE:
        place, unit = axes[name]
        scale = axis_scale(image, level, place)
        sizes.append(None if scale is None else length(scale, unit))
    height, width = sizes
    return (
        None
        if height is None or width is None
        else PixelSize(height=height, width=width, origin="the multiscales of its OME-Zarr")
    )


def place_of_level(images: Sequence[Mapping[str, Any]], inner: str) -> LevelPlace | None:
    """Where the level lies whose array has a path below the group, with its origin in µm; None where none is stated."""
    for image, level in image_levels(images, inner):
        place, units = level_place(image, level), um_per_axis(image)
        if place is not None and units is not None:
            return replace(place, origin=(place.origin[0] * units[0], place.origin[1] * units[1]))
    return None
