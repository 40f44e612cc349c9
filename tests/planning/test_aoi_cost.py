"""What an area costs, against what its blocks read and infer."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.read_sharing import ReadSharing
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import bounding_window
from pipeline.planning import aoi_cost
from pipeline.planning.aoi_cost import cost_of_aoi
from tests import networks
from tests.inference.fields import Field, balanced, made
from tests.sources.aoi import shapes
from tests.sources.aoi.shapes import HEIGHT, OF, SHAPES, WIDTH


def layout(block: int) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=4, halo=20, core=200) for n in (HEIGHT, WIDTH))
    return BlockGrid(height=HEIGHT, width=WIDTH, block=block, rows=rows, cols=cols)


@pytest.mark.parametrize("name", SHAPES)
def test_the_price_of_an_area_is_what_is_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    area, asked = shapes.area(tmp_path, SHAPES[name])
    source, how = Field.of(OF), layout(37)
    got = made(monkeypatch, source, balanced(networks.lively(networks.UNet())), how, area)
    found = cost_of_aoi(area, how, len(got.outcomes))
    assert found.requested == asked.sum()
    assert found.network == got.pixels
    assert found.read == sum(window.clip(HEIGHT, WIDTH).pixels for window in source.reads)


def test_of_very_many_blocks_some_stand_for_the_others_and_files_are_decoded_by_their_own_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, _ = shapes.area(tmp_path, SHAPES["a square that is turned"])
    how = layout(4)
    count = sum(1 for _ in area.blocks(how))
    exact = cost_of_aoi(area, how, count)
    cost_of_aoi.cache_clear()
    monkeypatch.setattr(aoi_cost, "MAX_SAMPLED_BLOCKS", 40)
    assert cost_of_aoi(area, how, count).requested == pytest.approx(exact.requested, rel=0.15)
    assert cost_of_aoi(area, how, count).network == pytest.approx(exact.network, rel=0.05)
    assert cost_of_aoi(area, layout(128), 1, (1000, 1000)).read == HEIGHT * WIDTH


@pytest.mark.parametrize(("name", "swaths"), [(name, swaths) for name in SHAPES for swaths in (1, 2)])
def test_what_neighbours_share_is_decoded_once(tmp_path: Path, name: str, swaths: int) -> None:
    area, _ = shapes.area(tmp_path, SHAPES[name])
    how, unit = layout(37).with_swaths(swaths), (9, 14)
    seen: set[tuple[int, int, int]] = set()
    for index in area.blocks(how):
        part = bounding_window(area.read(how.window(index)), how.window(index))
        frame = how.read_window(index, part).clip(HEIGHT, WIDTH)
        rows, cols = range(frame.row // 9, -(-frame.rows.stop // 9)), range(frame.col // 14, -(-frame.cols.stop // 14))
        seen |= {(how.swath_of(index.col), row, col) for row in rows for col in cols}
    count = sum(1 for _ in area.blocks(how))
    expected = sum(min(9, HEIGHT - row * 9) * min(14, WIDTH - col * 14) for _, row, col in seen)
    assert (
        cost_of_aoi(
            area, how, count, (9, 14), ReadSharing(unit=unit, swaths=swaths, cached_bytes=1, amplification=1)
        ).read
        == expected
    )
