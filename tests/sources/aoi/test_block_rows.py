"""Blocks that outlines may reach, against a look at every block; and how many are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.grid import Grid
from pipeline.sources.aoi import open_area
from pipeline.sources.aoi.block_rows import blocks_by_row
from pipeline.sources.aoi.pieces import AoiPieces
from tests.quality.labels.places import UTM
from tests.sources.aoi import shapes
from tests.sources.aoi.shapes import OF, SHAPES
from tests.sources.aoi.test_aoi import layout


@pytest.mark.nightly("jobs", after=30)
@pytest.mark.parametrize("swaths", [1, 2, 5])
@pytest.mark.parametrize("block", [3, 16, 37])
@pytest.mark.parametrize("name", SHAPES)
def test_every_block_of_the_area_is_among_them_in_the_order_of_reading(
    tmp_path: Path, name: str, block: int, swaths: int
) -> None:
    opened, expected = shapes.area(tmp_path, SHAPES[name])
    how = layout(OF, block).with_swaths(swaths)
    order = list(how.blocks())
    found = [index for line in blocks_by_row(opened._aoi_pieces.pieces, how) for index in line]
    assert found == [index for index in order if index in set(found)]
    assert {index for index in order if expected[how.window(index).slices].any()} <= set(found)
    assert list(opened.blocks(how)) == [index for index in order if expected[how.window(index).slices].any()]


HUGE = Grid(height=2**25, width=2**25, transform=OF.transform, wkt=OF.wkt, code=OF.code, unit="crs")
FAR = 2**25 - 400_000
AREAS = {
    "a small box": (shapely.box(20_000_100, 9_000_100, 20_000_600, 9_000_500), 4),
    "both far corners": (
        shapely.MultiPolygon([shapely.box(10, 10, 400, 400), shapely.box(FAR, FAR, FAR + 900, FAR + 300)]),
        10,
    ),
    "a road across": (shapely.LineString([(1000, 2000), (FAR, FAR)]).buffer(40), 120_000),
    "a frame": (shapely.box(1000, 1000, FAR, FAR).boundary.buffer(200), 140_000),
}


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=3)
@pytest.mark.parametrize("swaths", [1, 8192])
@pytest.mark.parametrize("name", AREAS)
def test_a_huge_raster_is_visited_where_its_area_is_and_nowhere_else(
    tmp_path: Path, name: str, swaths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, most = AREAS[name]
    opened = open_area(str(shapes.write(tmp_path / "a.gpkg", shapes.placed(shape, HUGE), UTM)), HUGE)
    assert opened is not None
    how = layout(HUGE, 2048 if most < 100 else 2**16).with_swaths(min(swaths, 512 if most > 100 else swaths))
    looked: list[int] = []
    real = AoiPieces.windows_touching
    monkeypatch.setattr(
        AoiPieces, "windows_touching", lambda self, windows: looked.append(len(windows)) or real(self, windows)
    )
    touched = list(opened.blocks(how))
    assert 0 < len(touched) <= sum(looked) <= min(most, 3 * len(touched) + 4)


def test_a_diagonal_strip_is_looked_at_pixel_by_pixel_hardly_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.sources.aoi import aoi as areas

    opened = open_area(
        str(
            shapes.write(
                tmp_path / "a.gpkg", shapes.placed(shapely.LineString([(1000, 2000), (FAR, FAR)]).buffer(4), HUGE), UTM
            )
        ),
        HUGE,
    )
    assert opened is not None
    looked, real = [], areas.Area.read
    monkeypatch.setattr(areas.Area, "read", lambda self, window: looked.append(window) or real(self, window))
    touched = list(opened.blocks(layout(HUGE, 2**16)))
    assert len(touched) > 500
    assert len(looked) < 0.05 * len(touched)


def test_an_area_without_a_block_has_no_line() -> None:
    how = BlockGrid(height=100, width=100, block=10, rows=layout(OF, 10).rows, cols=layout(OF, 10).cols)
    assert list(blocks_by_row(np.zeros(0, dtype=object), how)) == []
    assert list(blocks_by_row(np.array([shapely.box(5, 5, 5.5, 5.5)]), how)) == [[BlockIndex(0, 0)]]
