"""Where the levels of an OME-Zarr lie, by the ``multiscales`` of its group.

OME counts from the centre of a pixel: a scale is the size of a pixel, a translation the centre of the first one.

    level 0   |  ·  |  ·  |  ·  |  ·  |       scale 1, translation 0
    level 1   |     ·     |     ·     |       scale 2, translation 0.5

Source: https://ngff.openmicroscopy.org/0.5/ (coordinateTransformations), with OME-Zarr 0.4 for Zarr v2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.geometry.length_units import um_per

PLANE = ("y", "x")
"""Axes of rows and columns."""
SNAP_PX = 1e-6
"""Pixels of level 0 by which rounding may move a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlace:
    """A level on the pixels of level 0, and level 0 on the axes of its image."""

    step: tuple[float, float]
    """(height, width) of a pixel, px of level 0."""
    corner: tuple[float, float]
    """(row, col), px of level 0."""
    origin: tuple[float, float]
    """(y, x) of the centre of the first pixel of level 0, in the units of the axes."""


def images_of(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of ``multiscales`` among the attributes of a group, of OME-Zarr 0.4 or 0.5."""
    ome = attributes.get("ome")
    document = ome if isinstance(ome, Mapping) else attributes
    return [image for image in mappings_of(document.get("multiscales")) if mappings_of(image.get("datasets"))]


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """The mappings of a list; none of what anybody may write in its place."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def image_axes(image: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Place and unit of each axis, by its name."""
    rows = enumerate(mappings_of(image.get("axes")))
    return {str(axis.get("name")): (place, str(axis.get("unit", ""))) for place, axis in rows}


def image_levels(
    images: Sequence[Mapping[str, Any]], inner: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The images with a level whose array has a path below the group, each with that level."""
    for image in images:
        for level in mappings_of(image.get("datasets")):
            if str(level.get("path", "")).strip("/") == inner:
                yield image, level


def axis_scale(image: Mapping[str, Any], level: Mapping[str, Any], place: int) -> float | None:
    """The size of a pixel of a level along an axis, in its unit; None where none is stated."""
    scale = _part(level, "scale", place)
    return None if scale is None or scale <= 0 else scale * (_part(image, "scale", place) or 1.0)


def axis_translation(image: Mapping[str, Any], level: Mapping[str, Any], place: int) -> float | None:
    """The centre of the first pixel of a level along an axis, in its unit; None where the level states none."""
    translation = _part(level, "translation", place)
    if translation is None:
        return None
    return translation * (_part(image, "scale", place) or 1.0) + (_part(image, "translation", place) or 0.0)


def axis_origin(image: Mapping[str, Any], place: int) -> float:
    """The centre of the first pixel of level 0 along an axis, in its unit."""
    stated = axis_translation(image, mappings_of(image.get("datasets"))[0], place)
    return (_part(image, "translation", place) or 0.0) if stated is None else stated


def level_place(image: Mapping[str, Any], level: Mapping[str, Any]) -> LevelPlace | None:
    """Where a level lies; None where its scale or that of level 0 is not stated.

    A level without a translation has the corner of level 0: many programs write none.
    """
    axes = image_axes(image)
    if not set(PLANE) <= axes.keys():
        return None
    pairs = [_axis_place(image, level, axes[name][0]) for name in PLANE]
    rows, cols = pairs
    if rows is None or cols is None:
        return None
    origin = [axis_origin(image, axes[name][0]) for name in PLANE]
    return LevelPlace(step=(rows[0], cols[0]), corner=(rows[1], cols[1]), origin=(origin[0], origin[1]))


def um_per_axis(image: Mapping[str, Any]) -> tuple[float, float] | None:
    """µm in the units of rows and columns; None where these are no lengths."""
    axes = image_axes(image)
    down, across = (um_per(axes[name][1]) if name in axes else None for name in PLANE)
    return None if down is None or across is None else (down, across)


def _axis_place(image: Mapping[str, Any], level: Mapping[str, Any], place: int) -> tuple[float, float] | None:
    """Step and corner along an axis, px of level 0."""
    first = mappings_of(image.get("datasets"))[0]
    size, finest = axis_scale(image, level, place), axis_scale(image, first, place)
    if size is None or finest is None:
        return None
    centre = axis_translation(image, level, place)
    corner = 0.0 if centre is None else (centre - axis_origin(image, place) - (size - finest) / 2) / finest
    return _snapped(size / finest), _snapped(corner)


def _snapped(number: float) -> float:
    """A whole number where rounding alone keeps it from being one."""
    return float(round(number)) if abs(number - round(number)) < SNAP_PX else number


def _part(part: Mapping[str, Any], kind: str, place: int) -> float | None:
    """The scale or translation of one axis, of a level or of the whole image."""
    for change in mappings_of(part.get("coordinateTransformations")):
        numbers = change.get(kind)
        if isinstance(numbers, list) and len(numbers) > place and isinstance(numbers[place], int | float):
            return float(numbers[place])
    return None
