"""GeoJSON by RFC 7946: longitudes and latitudes of WGS 84, cut at the antimeridian, with 7 decimals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from pipeline.errors import ConfigError
from pipeline.exports.vectors.antimeridian import cut_polygons, needs_cut
from pipeline.exports.vectors.json_text import Shapes, compact, id_member, object_shapes, open_text, write_polygons
from pipeline.geometry.crs import TURN
from pipeline.geometry.ellipsoid import is_degrees, parsed, unit_size
from pipeline.geometry.grid import Grid
from pipeline.objects.features import FeatureBatch, FeatureFields

DEGREE_DECIMALS = 7
"""Of degrees: a centimetre on the ground."""
EARTH_RADIUS = 6_371_000.0
"""m."""


def write_geojson(batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, mark: str) -> None:
    """Write a FeatureCollection; the mark is its member ``wholecloth``.

    Objects that lie on both sides of the antimeridian become MultiPolygons. Attributes stay as they are: centroids are
    in the CRS of the mask.

    Parameters
    ----------
    batches
        Objects.
    path
        A file that is not there yet.
    fields
        What the objects have in common.
    mark
        Text by which the file is known.

    Raises
    ------
    ConfigError
        The mask has no CRS, so that its objects have no place on earth.
    """
    check_geojson(fields.grid)
    with open_text(path, mark) as file:
        file.write(f'{{"type":"FeatureCollection","wholecloth":{compact(mark)},"features":[')
        separator = "\n"
        for batch in batches:
            columns = {name: values.tolist() for name, values in batch.attributes.items()}
            for at, (shapes, multi) in enumerate(_geometries(batch)):
                properties = {name: values[at] for name, values in columns.items()}
                file.write(f'{separator}{{"type":"Feature",{id_member(columns, at)}"geometry":')
                write_polygons(file, shapes, multi)
                file.write(f',"properties":{compact(properties)}}}')
                separator = ",\n"
        file.write("\n]}\n")


def check_geojson(grid: Grid) -> None:
    """Raise ConfigError where a mask has no CRS."""
    if grid.wkt is None:
        raise ConfigError(
            "The mask has no CRS, and GeoJSON is in longitudes and latitudes by its standard. Export it --to qupath, "
            "whose GeoJSON is in pixels, or --to gpkg."
        )


def _geometries(batch: FeatureBatch) -> Iterator[tuple[Shapes, bool]]:
    """The polygons of each object in degrees, and whether they are to be a MultiPolygon."""
    batch = _followed(batch)
    points = _degrees(batch)
    step = 1 if _are_right_handed(points, batch) else -1
    crossing = needs_cut(points, batch).tolist()
    np.round(points, DEGREE_DECIMALS, out=points)
    for shapes, crosses in zip(object_shapes(batch, points), crossing, strict=True):
        if crosses:
            parts = cut_polygons(shapes)
            yield (
                [[ring.round(DEGREE_DECIMALS) for ring in rings] for rings in parts],
                batch.fields.multi or len(parts) > 1,
            )
        else:
            yield ((ring[::step] for ring in rings) for rings in shapes), batch.fields.multi


def _are_right_handed(points: npt.NDArray[np.float64], batch: FeatureBatch) -> bool:
    """Whether outer rings run counter-clockwise, by the first: those of rows that run northwards do not.

    A ring that crosses the antimeridian is unwrapped for it.
    """
    x, y = points[: batch.ring_sizes[0]].T if len(batch) else np.zeros((2, 1))
    x, y = np.unwrap(x, period=TURN) - x[0], y - y[0]
    return bool(np.dot(x[:-1], y[1:]) >= np.dot(x[1:], y[:-1]))


def _degrees(batch: FeatureBatch) -> npt.NDArray[np.float64]:
    assert batch.fields.grid.wkt is not None
    to_degrees = Transformer.from_crs(parsed(batch.fields.grid.wkt), "OGC:CRS84", always_xy=True)
    return np.stack(to_degrees.transform(*batch.points().T), axis=1)


def _followed(batch: FeatureBatch) -> FeatureBatch:
    """Objects with more vertices along their edges, where straight lines of a map are curves in degrees.

    A curve of length L leaves its chord by about L²/8R, which stays below a sixtieth of a pixel here.
    """
    wkt = batch.fields.grid.wkt
    assert wkt is not None
    if is_degrees(wkt):
        return batch
    step = max(int(np.sqrt(EARTH_RADIUS / 8 / (max(batch.fields.grid.pixel_size) * unit_size(wkt)))), 1)
    ends = np.cumsum(batch.ring_sizes) - 1
    spans = np.stack([np.diff(values, append=values[-1:]) for values in (batch.rows, batch.cols)])
    spans[:, ends] = 0
    pieces = np.maximum(-(-np.abs(spans).max(axis=0) // step), 1).astype(np.int64)
    starts = np.cumsum(pieces) - pieces
    parts = (np.arange(pieces.sum()) - np.repeat(starts, pieces)) / np.repeat(pieces, pieces)
    rows, cols = (
        np.repeat(values, pieces) + parts * np.repeat(span, pieces)
        for values, span in zip((batch.rows, batch.cols), spans, strict=True)
    )
    sizes = np.add.reduceat(pieces, ends + 1 - batch.ring_sizes)
    return replace(batch, rows=rows, cols=cols, ring_sizes=sizes)
