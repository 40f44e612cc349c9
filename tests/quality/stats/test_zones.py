"""Zones of a file: names, order, CRS and forms of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.geometry.window import Window
from pipeline.quality.stats.zones import open_zones, zone_name
from tests.quality.stats.stores import grid_of, to_map, write_zones

UTM = "EPSG:32633"
GRID = grid_of(UTM, 300, 400)
WHOLE = Window(row=0, col=0, height=300, width=400)


def moved(shapes: Any, crs: str, points_per_edge: int = 400) -> Any:
    """Polygons in columns and rows of the grid, brought to another CRS with many points on each edge."""
    there = to_map(GRID, shapely.segmentize(np.asarray(shapes, dtype=object), 400 / points_per_edge))
    change = pyproj.Transformer.from_crs(UTM, crs, always_xy=True)
    return shapely.transform(there, lambda points: np.stack(change.transform(*points.T), axis=1))


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.fgb"])
def test_zones_come_back_in_pixels_whatever_their_crs_and_file(tmp_path: Path, name: str) -> None:
    shapes = [shapely.box(10, 20, 90.5, 70), shapely.Point(200, 150).buffer(60), shapely.box(1000, 1000, 1100, 1100)]
    path = write_zones(tmp_path / name, moved(shapes, "EPSG:4326"), ["a", "b", "c"], "EPSG:4326")
    zones = open_zones(path, "name", None, GRID)
    near = zones.near(WHOLE)
    assert sorted(zones.names) == ["a", "b", "c"]
    found = {zones.names[number]: shape for number, shape in zip(near.numbers, near.shapes, strict=True)}
    assert set(found) >= {"a", "b"}
    for letter, shape in zip("ab", shapes, strict=False):
        assert found[letter].symmetric_difference(shape).area < 1e-2
    one_by_one = {zones.names[number]: shape for number, shape in zones.one_by_one()}
    assert all(one_by_one[letter].equals_exact(found[letter], 1e-9) for letter in "ab")
    assert {number for number, _, _ in near.covers(near.touching(WHOLE), WHOLE)} == {
        zones.names.index(letter) for letter in "ab"
    }


def test_a_long_edge_bends_to_a_hundredth_of_a_pixel(tmp_path: Path) -> None:
    """Between its ends a parallel of 15 degrees is kilometres away from the straight line of the map."""
    side = 100_000
    corner = shapely.box(8, 40, 35, 41)
    path = write_zones(tmp_path / "a.gpkg", [corner], ["a"], "EPSG:4326")
    grid = grid_of(UTM, side, side)
    shape = open_zones(path, "name", None, grid).near(Window(row=0, col=0, height=side, width=side)).shapes[0]
    fine = shapely.segmentize(shapely.box(14.5, 40, 28, 41), 1e-3)
    x, y = pyproj.Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*shapely.get_coordinates(fine).T)
    expected = shapely.Polygon(np.stack([(np.array(x) - 500_000) / 10, (4_600_000 - np.array(y)) / 10], axis=1))
    frame = shapely.box(0, 0, side, side)
    difference = shapely.intersection(shape, frame).symmetric_difference(shapely.intersection(expected, frame))
    assert difference.area < 2 * side * 0.01


def test_features_of_one_name_are_one_zone_and_what_they_share_counts_once(tmp_path: Path) -> None:
    shapes = [shapely.box(10, 10, 30, 30), shapely.box(50, 50, 60, 60), shapely.box(20, 20, 40, 40)]
    path = write_zones(tmp_path / "a.gpkg", to_map(GRID, shapes), ["a", "b", "a"], UTM)
    zones = open_zones(path, "name", None, GRID)
    assert zones.names == ("a", "b")
    covers = {number: cover.sum() for number, _, cover in zones.near(WHOLE).covers(np.arange(2), WHOLE)}
    assert covers == {0: pytest.approx(700), 1: pytest.approx(100)}
    assert [number for number, _ in zones.one_by_one()] == [0, 1]


def test_zones_without_a_field_are_named_by_their_number(tmp_path: Path) -> None:
    path = write_zones(tmp_path / "a.gpkg", to_map(GRID, [shapely.box(1, 1, 3, 3)] * 2), ["a", "b"], UTM)
    assert open_zones(path, None, None, GRID).names == ("1", "2")


def test_a_polygon_that_crosses_itself_covers_what_its_loops_hold(tmp_path: Path) -> None:
    bow = shapely.Polygon([(10, 10), (20, 20), (20, 10), (10, 20)])
    path = write_zones(tmp_path / "a.gpkg", to_map(GRID, [bow]), ["a"], UTM)
    ((_, _, cover),) = open_zones(path, "name", None, GRID).near(WHOLE).covers(np.arange(1), WHOLE)
    assert cover.sum() == pytest.approx(50)


def test_many_zones_are_visited_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.quality.stats.zones.FEATURES_AT_ONCE", 3)
    shapes = [shapely.box(k, k, k + 2, k + 2) for k in range(20)]
    names = [f"z{k % 7}" for k in range(20)]
    for file in ("a.gpkg", "a.geojson"):
        path = write_zones(tmp_path / file, to_map(GRID, shapes), names, UTM)
        visited = list(open_zones(path, "name", None, GRID).one_by_one())
        assert [number for number, _ in visited] == list(range(7))
        assert visited[0][1].area == pytest.approx(12)


@pytest.mark.parametrize(
    ("value", "name"), [("a", "a"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (None, ""), (np.nan, ""), (np.int64(4), "4")]
)
def test_values_of_a_field_are_names(value: Any, name: str) -> None:
    assert zone_name(value) == name


def test_what_is_wrong_with_zones_is_told(tmp_path: Path) -> None:
    path = write_zones(tmp_path / "a.gpkg", to_map(GRID, [shapely.box(1, 1, 3, 3)]), ["a"], UTM)
    with pytest.raises(InputError, match=r"no attribute 'nam' \(did you mean name\?\). Give --field NAME"):
        open_zones(path, "nam", None, GRID)
    with pytest.raises(InputError, match="does not exist"):
        open_zones(str(tmp_path / "b.gpkg"), None, None, GRID)
    with pytest.raises(InputError, match=r"Give --zones-layer NAME of one that they have"):
        open_zones(path, None, "other", GRID)
    with pytest.raises(InputError, match="they have a CRS and the image has none"):
        open_zones(path, "name", None, grid_of(None, 9, 9))
