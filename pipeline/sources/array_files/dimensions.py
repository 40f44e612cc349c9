"""What each dimension of an array is: rows, columns, bands, time or height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SourceError
from pipeline.sources.array_files.array_file import ArrayInfo

USUAL_NAMES = {
    "rows": ("y", "lat", "latitude", "northing", "row", "rows", "line", "rlat", "yc"),
    "columns": ("x", "lon", "longitude", "easting", "col", "cols", "column", "columns", "sample", "rlon", "xc"),
    "time": ("t", "time", "date", "datetime"),
    "height": ("z", "depth", "height", "level", "lev", "altitude", "plev"),
    "bands": ("band", "c", "channel", "class", "wavelength", "spectral"),
}
"""Usual names of dimensions, in lower case."""
STANDARD_NAMES = {
    "projection_y_coordinate": "rows",
    "latitude": "rows",
    "grid_latitude": "rows",
    "projection_x_coordinate": "columns",
    "longitude": "columns",
    "grid_longitude": "columns",
    "time": "time",
}
AXES = {"Y": "rows", "X": "columns", "T": "time", "Z": "height"}
"""What a coordinate is by CF: by its attribute ``standard_name``, and by its attribute ``axis``."""
OME_WORDS = {"t": "time", "c": "channel", "z": "depth"}
"""Names of OME's dimensions that are a letter, and what people call them."""


def named_dimensions(info: ArrayInfo, axes: str | list[str] | None, ome_axes: Sequence[str] | None) -> tuple[str, ...]:
    """A name for each dimension.

    Parameters
    ----------
    info
        Of the array.
    axes
        ``source.axes``, which counts before what the file says.
    ome_axes
        Names by the metadata of an OME-Zarr.

    Raises
    ------
    SourceError
        The file names none, or ``axes`` does not fit.
    """
    count, shape = len(info.shape), " × ".join(map(str, info.shape))
    if axes is not None:
        names = tuple(axes)
        if len(names) != count or len(set(names)) != count:
            raise SourceError(
                f"source.axes is {', '.join(names)}, but the array has {count} dimensions ({shape}). Give a different "
                f"name for each of them, in order."
            )
        return names
    if all(info.dimensions) and count > 0:
        return info.dimensions
    if ome_axes is not None and len(ome_axes) == count:
        return tuple(ome_axes)
    if count == 2:
        return "y", "x"
    raise SourceError(
        f"{info.name or 'The array'} has {count} dimensions ({shape}), and nothing names them. Name them in "
        f"source.axes, in order, such as {_likely_axes(info.shape)}."
    )


def _likely_axes(shape: Sequence[int]) -> str:
    """Axes by the lengths, as a message proposes them: what is short is no row or column."""
    if len(shape) == 3:
        return "[y, x, band]" if shape[-1] == min(shape) else "[band, y, x]"
    return "[time, z, band, y, x] or [y, x, band]"


def roles_of(names: Sequence[str], coordinates: Mapping[str, Mapping[str, Any]], spatial: object) -> tuple[str, ...]:
    """What each dimension is: rows, columns, time, height, bands, or nothing of these.

    Parameters
    ----------
    names
        Of the dimensions.
    coordinates
        Attributes of the coordinate of each dimension that has one.
    spatial
        The attribute ``spatial:dimensions``, which names rows and columns.

    Raises
    ------
    SourceError
        Rows or columns are not among them, or several may be.
    """
    roles = tuple(_role(name, coordinates.get(name, {}), spatial) for name in names)
    if roles.count("rows") == roles.count("columns") == 1:
        return roles
    raise SourceError(
        f"The array has the dimensions {', '.join(names)}, of which its rows and columns cannot be told. Name them in "
        f"source.axes, in order, with y and x among them."
    )


def same_dimension(key: str, name: str) -> bool:
    """Whether a key of ``source.select`` names a dimension: by its name, or by the word for a letter of OME."""
    key, name = key.lower(), name.lower()
    return key == name or OME_WORDS.get(name) == key or OME_WORDS.get(key) == name


def _role(name: str, attributes: Mapping[str, Any], spatial: object) -> str:
    if isinstance(spatial, list) and name in spatial and len(spatial) == 2:
        return ("rows", "columns")[spatial.index(name)]
    by_cf = STANDARD_NAMES.get(str(attributes.get("standard_name"))) or AXES.get(str(attributes.get("axis")).upper())
    return by_cf or role_by_name(name.lower())


def role_by_name(name: str) -> str:
    """What a dimension of a usual name is, in lower case; nothing of one that is not usual."""
    return next((role for role, names in USUAL_NAMES.items() if name in names), "")
