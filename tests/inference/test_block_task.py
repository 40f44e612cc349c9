"""Blocks of which a part is asked for, or valid: the labels of the whole, and no work beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.geometry.window import Window, bounding_window
from tests import networks
from tests.inference.fields import Field, balanced, made, whole
from tests.sources.aoi import shapes
from tests.sources.aoi.shapes import HEIGHT, OF, SHAPES, WIDTH

UNET = balanced(networks.lively(networks.UNet()))
POOLED = balanced(networks.lively(networks.SqueezeExcite()))


def tiled(block: int, core: int = 40, minimum: int = 1, halo: int = 20) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=4, halo=halo, core=core, minimum=minimum) for n in (HEIGHT, WIDTH))
    return BlockGrid(height=HEIGHT, width=WIDTH, block=block, rows=rows, cols=cols)


def lattice(block: int, size: int = 36, step: int = 20) -> BlockGrid:
    rows, cols = (LatticeTiling(length=n, multiple=4, size=size, step=step) for n in (HEIGHT, WIDTH))
    return BlockGrid(height=HEIGHT, width=WIDTH, block=block, rows=rows, cols=cols)


LAYOUTS = {
    "tiles": tiled(52),
    "one block": tiled(128),
    "odd blocks": tiled(37, core=24),
    "tiles of a least size": tiled(37, core=8, minimum=73),
}


@pytest.mark.nightly("jobs", after=16)
@pytest.mark.parametrize("how", LAYOUTS)
@pytest.mark.parametrize("name", SHAPES)
def test_labels_in_an_area_are_those_of_the_whole_image_and_outside_is_nodata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    area, asked = shapes.area(tmp_path, SHAPES[name])
    source = Field.of(OF, np.random.default_rng(1).random((HEIGHT, WIDTH)) < 0.97)
    expected = whole(source, UNET)
    assert len(np.unique(expected)) == 5
    got = made(monkeypatch, source, UNET, LAYOUTS[how], area)
    assert (got.mask == np.where(asked, expected, 255)).all()


@pytest.mark.nightly("jobs", after=8)
@pytest.mark.parametrize("block", [37, 128])
@pytest.mark.parametrize("name", SHAPES)
def test_a_network_that_is_not_local_sees_the_same_tiles_with_an_area_as_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block: int
) -> None:
    area, asked = shapes.area(tmp_path, SHAPES[name])
    source = Field.of(OF, np.random.default_rng(1).random((HEIGHT, WIDTH)) < 0.97)
    everything = made(monkeypatch, source, POOLED, lattice(block))
    got = made(monkeypatch, source, POOLED, lattice(block), area)
    assert (got.mask == np.where(asked, everything.mask, 255)).all()
    assert got.pixels <= everything.pixels
    assert len(np.unique(got.mask[asked])) > (1 if asked.sum() > 9 else 0)


@pytest.mark.nightly("jobs", after=20)
@pytest.mark.parametrize("how", [*LAYOUTS, "blended"])
@pytest.mark.parametrize("name", SHAPES)
def test_labels_of_a_raster_that_is_valid_in_part_are_those_of_the_whole_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, how: str
) -> None:
    source = Field.of(OF, shapes.area(tmp_path, SHAPES[name])[1])
    layout, network = (lattice(52), POOLED) if how == "blended" else (LAYOUTS[how], UNET)
    got = made(monkeypatch, source, network, layout)
    if how == "blended":
        everything = made(monkeypatch, source, network, layout, area=Everywhere())
        assert (got.mask == everything.mask).all()
    else:
        assert (got.mask == whole(source, network)).all()
    all_tiles = sum(tile.read.pixels for index in layout.blocks() for tile in layout.tiles(index))
    assert got.pixels < all_tiles or name in ("beyond all edges", "a diagonal sliver")
    by_hand = sum(
        tile.read.pixels
        for index in layout.blocks()
        if (part := bounding_window(source.valid[layout.window(index).slices], layout.window(index)))
        for tile in layout.tiles(index, part)
        if source.valid[tile.keep.slices].any()
    )
    assert got.pixels == by_hand


class Everywhere:
    """Asks for everything, in the words of an area."""

    def read(self, window: Window) -> np.ndarray:
        return np.ones((window.height, window.width), bool)

    blocks = staticmethod(BlockGrid.blocks)


def test_a_pixel_that_is_asked_for_costs_one_small_tile_and_no_more_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, asked = shapes.area(tmp_path, SHAPES["one pixel"])
    source = Field.of(OF)
    got = made(monkeypatch, source, UNET, tiled(128), area)
    assert asked.sum() == (got.mask != 255).sum() == 1
    assert source.reads == [Window(row=28, col=48, height=44, width=44)]  # its cell of the stride, and the halo of 20
    assert got.pixels == 44 * 44
    assert [outcome.pixels for outcome in got.outcomes] == [1]


@pytest.mark.parametrize("name", SHAPES)
def test_blocks_outside_are_not_read_and_of_the_others_no_more_than_their_part_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    area, asked = shapes.area(tmp_path, SHAPES[name])
    source, layout = Field.of(OF), tiled(37, core=24)
    got = made(monkeypatch, source, UNET, layout, area)
    touched = [index for index in layout.blocks() if asked[layout.window(index).slices].any()]
    assert sorted(got.records) == touched
    for index, read in zip(touched, source.reads, strict=True):
        part = bounding_window(asked[layout.window(index).slices], layout.window(index))
        assert part is not None
        rows, cols = (
            span.align(4).grow(20).clip(axis.padded)
            for span, axis in ((part.rows, layout.rows), (part.cols, layout.cols))
        )
        assert read == Window.of(rows, cols)


def test_the_checksum_of_what_was_read_is_the_same_in_every_run_and_notices_a_pixel_of_the_halo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, _ = shapes.area(tmp_path, SHAPES["one pixel"])
    one, two = (made(monkeypatch, Field.of(OF), UNET, tiled(128), area).records for _ in range(2))
    assert one == two
    changed, far = Field.of(OF), Field.of(OF)
    changed.data[0, 29, 49] += 1
    far.data[0, 26, 49] += 1
    assert made(monkeypatch, changed, UNET, tiled(128), area).records != one
    assert made(monkeypatch, far, UNET, tiled(128), area).records == one


def test_a_block_whose_pixels_that_are_asked_for_are_invalid_is_empty_and_not_inferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, asked = shapes.area(tmp_path, SHAPES["a triangle"])
    got = made(monkeypatch, Field.of(OF, ~asked), UNET, tiled(52), area)
    assert not any(outcome.inferred for outcome in got.outcomes)
    assert got.pixels == 0
    assert len(got.records) == len(got.outcomes) > 2
