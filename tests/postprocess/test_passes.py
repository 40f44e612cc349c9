"""Steps by blocks equal the same steps on the whole array, whatever the blocks."""

from __future__ import annotations

import functools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.objects.mask import MaskBlocks, mask_blocks
from pipeline.postprocess.component_steps import component_windows
from pipeline.postprocess.passes import apply_steps
from pipeline.postprocess.steps import SizeStep, Step, WindowStep
from pipeline.postprocess.window_steps import window_windows
from tests.postprocess.references import ArrayMask, whole

NODATA = 255


@functools.cache
def wkt() -> str:
    from pyproj import CRS

    return CRS.from_epsg(4326).to_wkt()


def grid(height: int, width: int) -> Grid:
    """Degrees, near a pole, so that areas differ from row to row."""
    return Grid(
        height=height,
        width=width,
        transform=(0.5, 0.0, 10.0, 0.0, -0.5, 85.0),
        wkt=wkt(),
        code="EPSG:4326",
        unit="crs",
    )


def areas_of(of: Grid) -> np.ndarray:
    window = Window(row=0, col=0, height=of.height, width=of.width)
    return np.broadcast_to(pixel_areas(of).of(window), (of.height, of.width))


def by_blocks(steps: list[Step], codes: np.ndarray, side: int, positions: Any = None) -> np.ndarray:
    mask = ArrayMask(codes=codes, nodata=NODATA)
    blocks: MaskBlocks = mask_blocks(mask, side, positions)
    with TemporaryDirectory() as folder:
        result = apply_steps(steps, blocks, grid(*codes.shape), "uint8", Path(folder))
        return result.read(Window(row=0, col=0, height=codes.shape[0], width=codes.shape[1]))


def one_by_blocks(step: Step, codes: np.ndarray, side: int) -> np.ndarray:
    """One step, block by block, without a scratch mask."""
    blocks = mask_blocks(ArrayMask(codes=codes, nodata=NODATA), side)
    result = np.full_like(codes, NODATA)
    with TemporaryDirectory() as folder:
        windows = (
            component_windows(step, blocks, grid(*codes.shape), Path(folder) / "components")
            if isinstance(step, SizeStep)
            else window_windows(step, blocks)
        )
        for window, part in windows:
            result[window.slices] = part
    return result


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Patches of a few classes, some so small that one pixel is a component, with holes of nodata."""
    height, width = draw(st.integers(1, 23)), draw(st.integers(1, 23))
    classes, scale = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.integers(0, classes, (-(-height // scale), -(-width // scale)))
    codes = np.kron(coarse, np.ones((scale, scale), dtype=int))[:height, :width].astype("uint8")
    noise = rng.random(codes.shape)
    codes[noise < draw(st.sampled_from([0, 0.1]))] = rng.integers(0, classes)
    codes[noise > draw(st.sampled_from([1, 0.95, 0.7]))] = NODATA
    return codes


@st.composite
def size_steps(draw: st.DrawFn) -> Step:
    operation = draw(st.sampled_from(["remove_small", "sieve", "fill_holes"]))
    if draw(st.booleans()):
        return SizeStep(operation=operation, size=draw(st.integers(1, 30)), unit="px", pixels=1, background=0)
    return SizeStep(operation=operation, size=draw(st.floats(1e8, 5e9)), unit="m2", pixels=1, background=0)


@st.composite
def window_steps(draw: st.DrawFn) -> Step:
    operation = draw(st.sampled_from(["majority", "open", "close"]))
    codes = () if operation == "majority" else tuple(draw(st.permutations(range(4)))[: draw(st.integers(1, 4))])
    return WindowStep(operation=operation, radius=draw(st.integers(1, 4)), codes=codes, background=0)


def reference(steps: list[Step], codes: np.ndarray) -> np.ndarray:
    areas = areas_of(grid(*codes.shape))
    for step in steps:
        codes = whole(step, codes, NODATA, areas)
    return codes


@given(masks(), size_steps(), st.integers(2, 12))
def test_a_step_over_components_equals_that_on_the_whole_array(codes: np.ndarray, step: Step, side: int) -> None:
    assert np.array_equal(one_by_blocks(step, codes, side), reference([step], codes))


@given(masks(), window_steps(), st.integers(2, 12))
def test_a_step_by_windows_equals_that_on_the_whole_array(codes: np.ndarray, step: Step, side: int) -> None:
    assert np.array_equal(one_by_blocks(step, codes, side), reference([step], codes))


@settings(max_examples=max(settings.default.max_examples // 3, 8))
@given(masks(), st.lists(size_steps() | window_steps(), max_size=3), st.integers(4, 25))
def test_steps_one_after_the_other_equal_those_on_the_whole_array(
    codes: np.ndarray, steps: list[Step], side: int
) -> None:
    result = by_blocks(steps, codes, side)
    assert np.array_equal(result, reference(steps, codes))
    assert np.array_equal(result == NODATA, codes == NODATA)


def test_many_classes_are_opened_in_passes_that_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    codes = np.kron(rng.integers(0, 6, (12, 12)), np.ones((5, 5), dtype=int)).astype("uint8")
    step = WindowStep(operation="close", radius=3, codes=(5, 1, 4, 2, 3, 0))
    once = by_blocks([step], codes, 16)
    monkeypatch.setattr("pipeline.postprocess.window_steps.HALO", 12)
    assert np.array_equal(by_blocks([step], codes, 16), once)
    assert np.array_equal(once, reference([step], codes))


def test_blocks_that_are_not_there_are_nodata() -> None:
    rng = np.random.default_rng(5)
    codes, positions = rng.integers(0, 3, (40, 40)).astype("uint8"), [(0, 1), (1, 1), (3, 2)]
    present = np.zeros(codes.shape, dtype=bool)
    for row, col in positions:
        present[row * 10 : row * 10 + 10, col * 10 : col * 10 + 10] = True
    codes[~present] = NODATA
    steps: list[Step] = [
        SizeStep(operation="sieve", size=9, unit="px", pixels=9),
        WindowStep(operation="majority", radius=1),
    ]
    assert np.array_equal(by_blocks(steps, codes, 10, positions), reference(steps, codes))


@pytest.mark.parametrize("operation", ["majority", "open", "close"])
def test_windows_look_as_far_beyond_their_block_as_the_step_does(operation: Any) -> None:
    rng = np.random.default_rng(11)
    for scale, side in ((2, 7), (3, 8), (5, 16)):
        codes = np.kron(rng.integers(0, 3, (60 // scale, 50 // scale)), np.ones((scale, scale), dtype=int))
        codes = np.where(rng.random(codes.shape) < 0.03, NODATA, codes).astype("uint8")
        step = WindowStep(operation=operation, radius=2, codes=() if operation == "majority" else (2, 1), background=0)
        assert np.array_equal(by_blocks([step], codes, side), reference([step], codes))
