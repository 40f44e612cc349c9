"""Areas of interest, pixel by pixel against their shapes, and by blocks against their pixels."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from pipeline.config import AreaConfig
from pipeline.errors import SourceError
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.grid import Grid
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.sources.aoi import aoi as areas
from pipeline.sources.aoi import open_area
from pipeline.sources.aoi.pieces import VERTICES
from tests.quality.labels.places import DEGREES, GRIDS, LAEA, UTM, cut, whole, windows
from tests.sources.aoi import shapes
from tests.sources.aoi.shapes import OF, SHAPES


def layout(of: Grid, block: int) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=1, halo=2, core=64) for n in (of.height, of.width))
    return BlockGrid(height=of.height, width=of.width, block=block, rows=rows, cols=cols)


@pytest.mark.nightly("jobs", after=12)
@pytest.mark.parametrize("crs", [UTM, DEGREES, LAEA])
@pytest.mark.parametrize("name", SHAPES)
def test_a_pixel_belongs_to_the_area_if_its_centre_does(tmp_path: Path, name: str, crs: str) -> None:
    opened, expected = shapes.area(tmp_path, SHAPES[name], crs=crs, name="a.gpkg")
    assert expected.any()
    assert (opened.read(whole(OF)) == expected).all()
    for window in windows(OF):
        assert (opened.read(window) == cut(expected, window, False)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rotated", "in another CRS, rotated", "south up", "in degrees"])
def test_the_grid_may_lie_as_it_likes(tmp_path: Path, name: str) -> None:
    of = GRIDS[name]
    opened, expected = shapes.area(
        tmp_path, shapely.Point(90, 80).buffer(55).difference(shapely.Point(80, 70).buffer(9)), of, LAEA, "a.gpkg"
    )
    assert (opened.read(whole(of)) == expected).all()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=16)
@pytest.mark.parametrize("block", [1, 16, 37, 500])
@pytest.mark.parametrize("name", SHAPES)
def test_blocks_are_those_that_hold_a_pixel_of_the_area(tmp_path: Path, name: str, block: int) -> None:
    opened, expected = shapes.area(tmp_path, SHAPES[name])
    how = layout(OF, block)
    assert [(i.row, i.col) for i in opened.blocks(how)] == [
        (i.row, i.col) for i in how.blocks() if expected[how.window(i).slices].any()
    ]


def test_outlines_along_the_edges_of_blocks_touch_no_neighbour_and_what_holds_no_centre_touches_nothing(
    tmp_path: Path,
) -> None:
    opened, _ = shapes.area(tmp_path, [shapely.box(32, 16, 64, 48), shapely.box(2.1, 80, 2.3, 90)][0])
    assert [(i.row, i.col) for i in opened.blocks(layout(OF, 16))] == [(row, col) for row in (1, 2) for col in (2, 3)]
    sliver = open_area(
        str(shapes.write(tmp_path / "b.gpkg", shapes.placed(shapely.box(2.1, 20, 2.3, 90), OF), UTM)), OF
    )
    assert sliver is not None
    assert not list(sliver.blocks(layout(OF, 16)))


def coast(points: int) -> Any:
    """An outline of very many points around the middle."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    far = 0.4 + 0.05 * np.sin(40 * angles) + 0.02 * np.sin(977 * angles)
    return shapely.Polygon(np.stack([60 + 100 * far * np.cos(angles), 46 + 80 * far * np.sin(angles)], 1))


@pytest.mark.slow
def test_outlines_of_very_many_points_are_cut_into_small_pieces_without_a_seam(tmp_path: Path) -> None:
    opened, expected = shapes.area(tmp_path, coast(20_000), name="a.gpkg")
    pieces = opened._aoi_pieces.pieces
    assert len(pieces) > 50
    assert max(shapely.get_num_coordinates(pieces)) <= VERTICES
    assert (opened.read(whole(OF)) == expected).all()


@pytest.mark.slow
def test_blocks_well_inside_or_far_away_are_not_looked_at_pixel_by_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Grid(height=10**6, width=10**6, transform=OF.transform, wkt=OF.wkt, code=OF.code, unit="crs")
    disc = shapely.Point(300_000, 500_000).buffer(200_000, quad_segs=3000)
    opened, looked = open_area(str(shapes.write(tmp_path / "a.gpkg", shapes.placed(disc, of), UTM)), of), []
    assert opened is not None
    real = areas.Area.read
    monkeypatch.setattr(areas.Area, "read", lambda self, window: looked.append(window) or real(self, window))
    touched = list(opened.blocks(layout(of, 4096)))
    assert len(touched) == pytest.approx(np.pi * 200_000**2 / 4096**2, rel=0.05)
    assert len(looked) < 0.02 * len(touched)


@pytest.mark.slow
def test_what_travels_to_a_worker_is_small_and_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, expected = shapes.area(tmp_path, coast(20_000), name="a.gpkg")
    sent = pickle.dumps(opened)
    assert len(sent) < 6000
    monkeypatch.setattr(areas, "_cached", {})
    there = pickle.loads(sent)
    assert (there.read(whole(OF)) == expected).all()
    loads: list[Any] = []
    monkeypatch.setattr(areas, "load_aoi_pieces", lambda *of: loads.append(of))
    assert (pickle.loads(sent).read(whole(OF)) == expected).all()
    assert not loads, "the file is read once per process"


def test_an_area_that_changed_under_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, _ = shapes.area(tmp_path, SHAPES["a triangle"])
    sent = pickle.dumps(opened)
    shapes.area(tmp_path, SHAPES["a comb"])
    monkeypatch.setattr(areas, "_cached", {})
    with pytest.raises(SourceError, match="not those with which the run began"):
        pickle.loads(sent).read(whole(OF))


def test_the_digest_is_of_the_polygons_and_not_of_their_file(tmp_path: Path) -> None:
    one, two = (shapes.area(tmp_path, SHAPES["a triangle"], name=name)[0] for name in ("a.geojson", "b.geojson"))
    other = shapes.area(tmp_path, SHAPES["a comb"], name="a.geojson")[0]
    assert one.digest == two.digest != other.digest


def test_a_layer_and_a_condition_choose_among_polygons(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    both = [shapes.placed(SHAPES[name], OF) for name in ("a triangle", "the left edge")]
    shapes.write(path, both, UTM, name=["one", "two"])
    opened = open_area(AreaConfig(path=str(path), layer="a", where="name = 'two'"), OF)
    assert opened is not None
    got = opened.read(whole(OF))
    assert got[:, :10].all()
    assert not got[:, 10:].any()


def test_without_a_crs_coordinates_are_columns_and_rows(tmp_path: Path) -> None:
    of = Grid(height=93, width=118)
    opened = open_area(str(shapes.plain(tmp_path / "a.geojson", shapely.box(10, 20, 30, 50))), of)
    assert opened is not None
    expected = np.zeros((93, 118), bool)
    expected[20:50, 10:30] = True
    assert (opened.read(whole(of)) == expected).all()


def test_a_window_beyond_the_raster_holds_nothing(tmp_path: Path) -> None:
    opened, _ = shapes.area(tmp_path, SHAPES["beyond all edges"])
    assert not opened.read(Window(row=-30, col=-40, height=20, width=20)).any()
    assert not opened.read(Window(row=200, col=0, height=5, width=5)).any()
