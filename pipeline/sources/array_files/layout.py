"""What a file says of one of its arrays: dimensions with their labels, and where the pixels lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import StoreError
from pipeline.geometry.grid import Transform
from pipeline.sources.array_files.array_file import ArrayFile, ArrayInfo, groups_above, joined_path
from pipeline.sources.array_files.dimensions import named_dimensions, roles_of
from pipeline.sources.array_files.labels import Label, labels_of
from pipeline.sources.array_files.placing import Coordinate, PlaceFacts
from pipeline.sources.array_files.selection import Dimension
from pipeline.sources.array_files.variables import ancestors
from pipeline.sources.gdal.ome_zarr import channels_of, level_axes, level_size, place_of_level
from pipeline.store.ome_levels import images_of

GRID_MAPPINGS = ("spatial_ref", "crs")
"""Usual names of a grid mapping, where the array names none."""
CURVED_NAMES = ("lat", "lon", "latitude", "longitude", "nav_lat", "nav_lon")
"""Usual names of coordinates that say where each pixel lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayLayout:
    """One array by its dimensions and its place."""

    info: ArrayInfo
    dimensions: tuple[Dimension, ...]
    facts: PlaceFacts


def layout_of(file: ArrayFile, info: ArrayInfo, axes: str | list[str] | None) -> ArrayLayout:
    """What a file says of an array.

    Parameters
    ----------
    file
        That holds it.
    info
        What the array says of itself.
    axes
        ``source.axes``, which names its dimensions anew.

    Raises
    ------
    SourceError
        Rows and columns cannot be told, or ``axes`` does not fit.
    """
    above = ancestors(file, info.name)
    group, ome = next(((group, attributes) for group, attributes in above if images_of(attributes)), ("", {}))
    inner, images = _relative(info.name, group), images_of(ome)
    names = named_dimensions(info, axes, level_axes(images, inner))
    coordinates = dict(_coordinates(file, info, names))
    documents = [info.attributes, *(attributes for _, attributes in above)]
    spatial = next((entry["spatial:dimensions"] for entry in documents if "spatial:dimensions" in entry), None)
    roles = roles_of(names, {name: entry.attributes for name, entry in coordinates.items()}, spatial)
    channels = channels_of(ome) if images else None
    dimensions = tuple(
        Dimension(name=name, length=length, role=role, labels=_labels(role, length, coordinates.get(name), channels))
        for name, length, role in zip(names, info.shape, roles, strict=True)
    )
    rows, columns = roles.index("rows"), roles.index("columns")
    facts = PlaceFacts(
        height=info.shape[rows],
        width=info.shape[columns],
        rows=coordinates.get(names[rows]),
        columns=coordinates.get(names[columns]),
        attributes=documents,
        grid_mapping=_grid_mapping(file, info),
        spatial_transform=_spatial_transform(info, above, (info.shape[rows], info.shape[columns])),
        size=level_size(images, inner),
        level=place_of_level(images, inner),
        curved=tuple(_curved(file, info, (info.shape[rows], info.shape[columns]))),
    )
    return ArrayLayout(info=info, dimensions=dimensions, facts=facts)


def _relative(name: str, group: str) -> str:
    return name.removeprefix(f"{group}/") if group else name


def _near(file: ArrayFile, info: ArrayInfo, name: str) -> Any:
    """The array of a name in the nearest group above; None where there is none."""
    for group in groups_above(info.name):
        path = joined_path(group, name)
        if not path or path == info.name:
            continue
        try:
            return file.array(path)
        except (KeyError, StoreError):  # storage may refuse what is not there
            continue
    return None


def _coordinates(file: ArrayFile, info: ArrayInfo, names: Sequence[str]) -> Iterator[tuple[str, Coordinate]]:
    """The coordinate of each dimension that has one, by the name of the dimension."""
    for name, stored_name, length in zip(names, info.dimensions, info.shape, strict=True):
        for candidate in dict.fromkeys((stored_name, name)):
            reader = _near(file, info, candidate) if candidate else None
            if reader is None or not _is_coordinate(reader.info, length):
                continue
            values = reader.read([slice(0, size) for size in reader.info.shape])
            yield name, Coordinate(name=candidate, values=values, attributes=reader.info.attributes)
            break


def _is_coordinate(info: ArrayInfo, length: int) -> bool:
    return info.shape == (length,) or (len(info.shape) == 2 and info.shape[0] == length and info.dtype == "S1")


def _labels(
    role: str, length: int, coordinate: Coordinate | None, channels: Sequence[str] | None
) -> list[Label] | None:
    if role in ("rows", "columns"):
        return None
    if coordinate is not None:
        return labels_of(coordinate.values, coordinate.attributes)
    return list(channels) if role == "bands" and channels is not None and len(channels) == length else None


def _grid_mapping(file: ArrayFile, info: ArrayInfo) -> Mapping[str, Any]:
    named = str(info.attributes.get("grid_mapping", "")).replace(":", " ").split()[:1]
    for name in (*named, *GRID_MAPPINGS):
        reader = _near(file, info, name)
        if reader is not None:
            attributes: Mapping[str, Any] = reader.info.attributes
            return attributes
    return {}


def _curved(file: ArrayFile, info: ArrayInfo, shape: tuple[int, int]) -> Iterator[str]:
    """Coordinates that have a value for each pixel."""
    for name in dict.fromkeys((*str(info.attributes.get("coordinates", "")).split(), *CURVED_NAMES)):
        reader = _near(file, info, name)
        if reader is not None and reader.info.shape == shape:
            yield name


def _spatial_transform(
    info: ArrayInfo, above: Sequence[tuple[str, Mapping[str, Any]]], shape: tuple[int, int]
) -> Transform | None:
    """The transform by GeoZarr's convention ``spatial``, of the array, of its level, or of its group."""
    documents = [info.attributes]
    for group, attributes in above:
        layout = attributes.get("multiscales")
        levels = layout.get("layout", []) if isinstance(layout, Mapping) else []
        inner = _relative(info.name, group)
        documents += [level for level in levels if f"{inner}/".startswith(f"{str(level.get('asset')).strip('/')}/")]
        documents.append(attributes)
    for document in documents:
        transform, size = document.get("spatial:transform"), document.get("spatial:shape")
        fits = size is None or tuple(size) == shape
        if isinstance(transform, list) and len(transform) == 6 and fits:
            a, b, c, d, e, f = map(float, transform)
            return _from_corner((a, b, c, d, e, f), str(document.get("spatial:registration", "pixel")))
    return None


def _from_corner(transform: Transform, registration: str) -> Transform:
    """A transform of the corners of pixels; that of nodes counts from the centre of the first."""
    if registration != "node":
        return transform
    a, b, c, d, e, f = transform
    return a, b, c - (a + b) / 2, d, e, f - (d + e) / 2
