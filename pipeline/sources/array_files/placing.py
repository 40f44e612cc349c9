"""Where the pixels of an array lie: by the config, coordinates, a transform among the attributes, or OME's scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import rasterio.crs

from pipeline.config.grids import GeoreferenceConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid, Transform, slide_px
from pipeline.sources.array_files.array_crs import DEGREES, crs_of_array, gdal_crs
from pipeline.sources.array_files.lattice import CoordinateAxis, axis_of
from pipeline.sources.gdal.georeference import crs_texts
from pipeline.sources.gdal.pixel_size import PixelSize
from pipeline.store.ome_levels import LevelPlace

NO_PLACE = (
    "it has neither coordinates nor a transform, so that its place is counted in pixels; source.georeference gives one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """The numbers along a dimension, and what they say of themselves."""

    name: str
    values: npt.NDArray[Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFacts:
    """All that a file says of where an array lies."""

    height: int
    width: int
    rows: Coordinate | None
    """Coordinate of the rows; None where they have none."""
    columns: Coordinate | None
    attributes: Sequence[Mapping[str, Any]]
    """Of the array and of the groups above it, the nearest first."""
    grid_mapping: Mapping[str, Any]
    """Attributes of its grid mapping."""
    spatial_transform: Transform | None
    """By the convention ``spatial``."""
    size: PixelSize | None
    """By OME."""
    level: LevelPlace | None = None
    """By OME, where the array is a level of an image: its place on level 0, the origin in µm."""
    curved: Sequence[str] = ()
    """Coordinates of two dimensions that say where each pixel lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPlace:
    """Where an array lies, and from which ends it is read."""

    grid: Grid
    from_bottom: bool = False
    """Whether its last row is the northernmost, which is read first."""
    from_right: bool = False
    notes: tuple[str, ...] = ()


def array_place(facts: PlaceFacts, config: GeoreferenceConfig | str | None) -> ArrayPlace:
    """The grid of an array.

    Parameters
    ----------
    facts
        What the file says.
    config
        ``source.georeference``, which counts before that; ``pixels`` for none.

    Raises
    ------
    SourceError
        Its pixels lie on no grid.
    """
    plain = Grid(height=facts.height, width=facts.width)
    if isinstance(config, str):
        return ArrayPlace(grid=plain)
    transform = None if config is None else config.transform_of(facts.height, facts.width)
    if config is not None and transform is not None:
        return ArrayPlace(grid=_with_crs(replace(plain, transform=transform), _config_crs(config)))
    place = _file_place(facts, plain)
    if config is None:
        return place
    if place.grid.unit == "px" and place.grid.transform == plain.transform:
        raise SourceError(
            "source.georeference gives a CRS alone, and nothing in the file says where the pixels lie. Give its "
            "transform or bounds as well."
        )
    grid = _with_crs(replace(place.grid, wkt=None, code=None), _config_crs(config))
    return replace(place, grid=grid, notes=())


def _file_place(facts: PlaceFacts, plain: Grid) -> ArrayPlace:
    crs, note = crs_of_array(facts.attributes, facts.grid_mapping, _is_geographic(facts))
    lattices = _lattices(facts)
    if lattices is not None:
        return _on_lattices(facts, plain, lattices, crs, note)
    transform = facts.spatial_transform or _gdal_transform(facts.grid_mapping)
    if transform is not None:
        return _by_transform(plain, transform, crs)
    if facts.curved:
        raise SourceError(
            f"The pixels of the array lie where {' and '.join(facts.curved)} say, each by itself, and so on no grid. "
            f"Bring it to a grid first, such as with pyresample or xESMF, or give georeference: pixels, by which it "
            f"lies nowhere."
        )
    if facts.size is not None:
        return ArrayPlace(grid=_ome_grid(facts.size, facts.level, plain), notes=(facts.size.note,))
    return ArrayPlace(grid=plain, notes=(NO_PLACE,))


def _ome_grid(size: PixelSize, level: LevelPlace | None, plain: Grid) -> Grid:
    """In µm from the corner of a pixel of level 0 whose centre is OME's origin."""
    if level is None:
        return replace(plain, transform=(size.width, 0.0, 0.0, 0.0, size.height, 0.0), unit="um")
    top, left = (
        origin + corner * side / step
        for origin, corner, side, step in zip(
            level.origin, level.corner, (size.height, size.width), level.step, strict=True
        )
    )
    transform = (size.width, 0.0, left, 0.0, size.height, top)
    return replace(plain, transform=transform, unit="um", image_px=slide_px(level.step, level.corner))


def _is_geographic(facts: PlaceFacts) -> bool:
    coordinates = (facts.rows, facts.columns)
    return all(entry is not None and str(entry.attributes.get("units")) in DEGREES for entry in coordinates)


def _lattices(facts: PlaceFacts) -> tuple[CoordinateAxis, CoordinateAxis] | None:
    """Lattices of rows and columns; None where one has no coordinate, or a single one."""
    if facts.rows is None or facts.columns is None:
        return None
    rows, columns = (axis_of(entry.values, entry.name) for entry in (facts.rows, facts.columns))
    return None if rows is None or columns is None else (rows, columns)


def _on_lattices(
    facts: PlaceFacts,
    plain: Grid,
    lattices: tuple[CoordinateAxis, CoordinateAxis],
    crs: rasterio.crs.CRS | None,
    note: str,
) -> ArrayPlace:
    """Northern rows first and western columns first, whatever the order in the file."""
    rows, columns = lattices
    down, across = rows.reversed if rows.step > 0 else rows, columns.reversed if columns.step < 0 else columns
    transform: Transform = (across.step, 0.0, across.edge, 0.0, down.step, down.edge)
    for exact in (facts.spatial_transform, _gdal_transform(facts.grid_mapping)):
        # the same numbers without the rounding of coordinates
        if exact is not None and exact[1] == exact[3] == 0 and _same(exact, down, across):
            transform = exact
            break
    notes = (note,) if note else () if crs is not None else ("it lies where its coordinates say; they name no CRS",)
    grid = _with_crs(replace(plain, transform=transform), crs)
    return ArrayPlace(grid=grid, from_bottom=rows.step > 0, from_right=columns.step < 0, notes=notes)


def _same(transform: Transform, down: CoordinateAxis, across: CoordinateAxis) -> bool:
    a, _, c, _, e, f = transform
    return across.near(c, a) and down.near(f, e)


def _by_transform(plain: Grid, transform: Transform, crs: rasterio.crs.CRS | None) -> ArrayPlace:
    a, b, c, d, e, f = transform
    if crs is not None and b == d == 0 and e > 0:
        flipped = (a, b, c, d, -e, f + e * plain.height)
        return ArrayPlace(grid=_with_crs(replace(plain, transform=flipped), crs), from_bottom=True)
    return ArrayPlace(grid=_with_crs(replace(plain, transform=transform), crs))


def _gdal_transform(grid_mapping: Mapping[str, Any]) -> Transform | None:
    """The attribute ``GeoTransform`` of a grid mapping, in GDAL's order."""
    try:
        c, a, b, f, d, e = (float(part) for part in str(grid_mapping["GeoTransform"]).split())
    except (KeyError, ValueError):
        return None
    return a, b, c, d, e, f


def _config_crs(config: GeoreferenceConfig) -> rasterio.crs.CRS | None:
    return None if config.crs is None else gdal_crs(config.crs, "source.georeference.crs")


def _with_crs(grid: Grid, crs: rasterio.crs.CRS | None) -> Grid:
    if not crs:
        return grid
    wkt, code = crs_texts(crs)
    return replace(grid, wkt=wkt, code=code, unit="crs")
