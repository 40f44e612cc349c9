"""Areas of all shapes, drawn in columns and rows of a raster, and where its pixels' centres lie in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine

from pipeline.geometry.grid import Grid
from pipeline.sources.aoi import open_area
from pipeline.sources.aoi.aoi import Area
from tests import vector_files
from tests.quality.labels.places import DEGREES, NORTH_UP, UTM, centres, grid

HEIGHT, WIDTH = 93, 118


def _comb() -> Any:
    return shapely.union_all(
        [shapely.box(8, 10, 100, 14), *(shapely.box(10 + 9 * k, 10, 12.2 + 9 * k, 80) for k in range(9))]
    )


SHAPES: dict[str, Any] = {
    "a triangle": shapely.Polygon([(20.3, 11.2), (97.8, 40.1), (33.4, 84.6)]),
    "a ring with a hole": shapely.Point(60.2, 45.7).buffer(38).difference(shapely.Point(64.1, 42.3).buffer(24)),
    "a row of pixels": shapely.box(5.2, 41.1, 110.4, 41.9),
    "a column of pixels": shapely.box(64.1, 3.3, 64.8, 90.2),
    "one pixel": shapely.box(70.1, 50.1, 70.9, 50.9),
    "a diagonal sliver": shapely.LineString([(3.1, 5.4), (114.2, 88.3)]).buffer(0.6),
    "far apart": shapely.MultiPolygon(
        [shapely.box(1.2, 2.3, 9.7, 8.8), shapely.box(101.3, 80.2, 117.1, 92.4), shapely.box(50.1, 40.4, 53.7, 49.9)]
    ),
    "a square that is turned": shapely.affinity.rotate(shapely.box(35, 25, 80, 70), 27),
    "the left edge": shapely.box(0, 0, 10.3, HEIGHT),
    "the far corner": shapely.box(90.2, 70.3, WIDTH, HEIGHT),
    "beyond all edges": shapely.Polygon([(-40, 30), (60, -50), (190, 60), (50, 160)]),
    "a comb": _comb(),
    "two that overlap": shapely.MultiPolygon(
        [shapely.box(20.2, 20.1, 60.3, 60.4), shapely.box(40.6, 40.7, 80.8, 80.9)]
    ),
    "one that crosses itself": shapely.Polygon([(10.2, 10.1), (90.3, 80.4), (90.6, 10.7), (10.9, 80.2)]),
}
OF = grid(HEIGHT, WIDTH, NORTH_UP)


def placed(shape: Any, of: Grid, crs: str = UTM) -> Any:
    """A shape in columns and rows, in the coordinates of a CRS; edges stay straight in that CRS."""
    change = pyproj.Transformer.from_crs(of.code, crs, always_xy=True)

    def move(points: np.ndarray) -> np.ndarray:
        return np.stack(change.transform(*(Affine(*of.transform) * points.T)), 1)

    return shapely.transform(shape, move)


def write(path: Path, shape: Any, crs: str | None = DEGREES, **fields: Any) -> Path:
    driver = {".geojson": "GeoJSON", ".gpkg": "GPKG"}[path.suffix]
    more = {"COORDINATE_PRECISION": 15} if path.suffix == ".geojson" else {}
    shapes = shape if isinstance(shape, list) else [shape]
    vector_files.write(
        path,
        geometry=shapely.to_wkb(np.array(shapes, dtype=object)),
        field_data=[np.asarray(v) for v in fields.values()],
        fields=list(fields),
        crs=crs,
        driver=driver,
        geometry_type="Unknown",
        **more,
    )
    return path


def plain(path: Path, shape: Any) -> Path:
    """GeoJSON that names no CRS."""
    feature = {"type": "Feature", "properties": {}, "geometry": json.loads(shapely.to_geojson(shape))}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def area(
    folder: Path, shape: Any, of: Grid = OF, crs: str = DEGREES, name: str = "area.geojson"
) -> tuple[Area, np.ndarray]:
    """An area that is read from a file, and by hand: every centre against the shape, in the shape's CRS."""
    there = placed(shape, of, crs)
    opened = open_area(str(write(folder / name, there, crs)), of)
    assert opened is not None
    x, y = centres(of, crs)
    return opened, np.any(
        [shapely.contains_xy(shapely.make_valid(part), x, y) for part in shapely.get_parts(there)], axis=0
    )
