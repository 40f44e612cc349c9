"""Areas and labels across the antimeridian, in every way that people write them, against the polygon at each pixel's
centre."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from shapely.affinity import translate
from shapely.geometry import box, mapping

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.quality.labels import open_labels
from pipeline.sources.aoi import open_area
from tests.quality.labels.places import CLASSES, grid

RING = shapely.Polygon(
    [(179.8, -16.4), (180.15, -16.3), (180.3, -16.6), (180.05, -16.7), (179.75, -16.65), (179.8, -16.4)]
)
EAST, WEST = RING.intersection(box(0, -90, 180, 90)), translate(RING.intersection(box(180, -90, 360, 90)), -360)
FORMS = {
    "cut": [shapely.MultiPolygon([EAST, WEST])],
    "cut into two features": [EAST, WEST],
    "to 360": [RING],
    "below -180": [translate(RING, -360)],
}
GRIDS = {
    "UTM": grid(75, 100, Affine(1000, 0, 780_000, 0, -1000, 8_200_000), "EPSG:32760"),
    "degrees beyond 180": grid(75, 100, Affine(0.008, 0, 179.6, 0, -0.008, -16.2), "EPSG:4326"),
    "degrees below -180": grid(75, 100, Affine(0.008, 0, -180.4, 0, -0.008, -16.2), "EPSG:4326"),
    "west of it": grid(75, 50, Affine(0.008, 0, 179.6, 0, -0.008, -16.2), "EPSG:4326"),
    "another datum": grid(75, 100, Affine(0.008, 0, 179.6, 0, -0.008, -16.2), "EPSG:4167"),
}


def inside(of: Grid) -> np.ndarray:
    cols, rows = np.meshgrid(np.arange(of.width) + 0.5, np.arange(of.height) + 0.5)
    lon, lat = pyproj.Transformer.from_crs(of.code, 4326, always_xy=True).transform(
        *(Affine(*of.transform) * (cols, rows))
    )
    return np.asarray(shapely.contains_xy(RING, lon % 360, lat))


def write(path: Path, form: list[shapely.Geometry]) -> str:
    features = [{"type": "Feature", "properties": {"code": 1}, "geometry": mapping(shape)} for shape in form]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("form", FORMS)
def test_an_area_is_where_it_is_however_its_longitudes_are_written(tmp_path: Path, form: str, name: str) -> None:
    of, path = GRIDS[name], write(tmp_path / "a.geojson", FORMS[form])
    window = Window(row=0, col=0, height=of.height, width=of.width)
    area = open_area(path, of)
    assert area is not None
    want = inside(of)
    assert want.sum() > 300
    assert (area.read(window) != want).sum() <= 6
    labels = open_labels(path, of, CLASSES, attribute="code")
    assert ((labels.read(window) == 1) != want).sum() <= 6


def test_polygons_of_a_projection_reach_a_raster_in_degrees_on_both_sides(tmp_path: Path) -> None:
    import pyogrio

    change = pyproj.Transformer.from_crs(4326, 32760, always_xy=True)
    shape = shapely.transform(RING, lambda points: np.stack(change.transform(*points.T), 1))
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array([shape])),
        field_data=[],
        fields=[],
        crs="EPSG:32760",
        geometry_type="Polygon",
    )
    for name in ("degrees beyond 180", "degrees below -180"):
        area = open_area(str(path), GRIDS[name])
        assert area is not None
        assert (area.read(Window(row=0, col=0, height=75, width=100)) != inside(GRIDS[name])).sum() <= 6


def test_a_polygon_around_the_world_is_all_of_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", [box(-180, -90, 180, 90)])
    for of in GRIDS.values():
        area = open_area(path, of)
        assert area is not None
        assert area.read(Window(row=0, col=0, height=of.height, width=of.width)).all()
