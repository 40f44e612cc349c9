from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from pipeline.geometry.resampling import Axis, Method, resampled, widened
from pipeline.geometry.span import Span

METHODS: list[Method] = [*get_args(Method)]


def laid(values: np.ndarray, axis: Axis, rows: Span, cols: Span, method: Method) -> np.ndarray:
    """A window of a square on a grid, read as a source does: no more than the taps need."""
    down, across = axis.taps(rows, method), axis.taps(cols, method)
    part = values[down.span.start : down.span.stop, across.span.start : across.span.stop]
    return resampled(part, down, across)


@pytest.mark.parametrize("method", METHODS)
@given(st.data())
def test_windows_equal_the_whole_to_the_bit(method: Method, data: Any) -> None:
    step = data.draw(st.sampled_from([1 / 6, 1 / 3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.3]))
    start = data.draw(st.sampled_from([0.0, -2.0, 0.25, 3.5]))
    values = np.random.default_rng(data.draw(st.integers(0, 9))).normal(500, 300, (23, 23)).astype("float32")
    axis, length = Axis(length=23, start=start, step=step), max(int(20 / step), 2)
    whole = laid(values, axis, Span(0, length), Span(0, length), method)
    rows, cols = (
        Span(*sorted(data.draw(st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True)))) for _ in "ab"
    )
    assert (laid(values, axis, rows, cols, method) == whole[rows.start : rows.stop, cols.start : cols.stop]).all()


# GDAL does not widen lanczos for a coarser target as it widens the others
FINER_AND_COARSER = [(method, *pair) for method in METHODS for pair in ((20, 0.5), (60, 1 / 6), (10, 3.0))]


@pytest.mark.parametrize(("method", "size", "step"), [c for c in FINER_AND_COARSER if c[::2] != ("lanczos", 3.0)])
def test_it_is_what_gdal_warps_but_for_the_edges(method: Method, size: int, step: float) -> None:
    values = np.random.default_rng(1).integers(1, 60_000, (30, 30)).astype("uint16")
    count = round(30 / step)
    profile = {"driver": "GTiff", "count": 1, "height": 30, "width": 30, "dtype": "uint16", "crs": "EPSG:32633"}
    with MemoryFile() as file:
        with file.open(**profile, transform=from_origin(0, 0, size, size)) as out:
            out.write(values, 1)
        target = from_origin(0, 0, size * step, size * step)
        with (
            rasterio.open(file.name) as raw,
            WarpedVRT(raw, transform=target, height=count, width=count, resampling=Resampling[method]) as warped,
        ):
            expected = warped.read(1).astype(int)
    got = laid(values, Axis(length=30, start=0, step=step), Span(0, count), Span(0, count), method)
    inner = slice(round(4 / step), -round(4 / step)) if step < 1 else slice(3, -3)
    assert np.abs(got[inner, inner] - expected[inner, inner]).max() <= 1
    assert method in ("cubic", "lanczos") or np.abs(got - expected).max() <= 1


def test_a_sum_of_pixels_is_invalid_where_one_of_them_is() -> None:
    codes = np.zeros((4, 4), np.uint8)
    codes[1, 2] = 3
    taps = Axis(length=4, start=0, step=0.5).taps(Span(0, 8), "bilinear")
    wide = widened(codes, taps, taps)
    assert np.argwhere(wide == 3).min(0).tolist() == [1, 3]
    assert np.argwhere(wide == 3).max(0).tolist() == [4, 6]
    assert (wide == 3).sum() == 16
    nearest = Axis(length=4, start=0, step=0.5).taps(Span(0, 8), "nearest")
    assert (widened(codes, nearest, nearest) == np.kron(codes, np.ones((2, 2), np.uint8))).all()


def test_integers_are_rounded_and_stay_within_their_range() -> None:
    values = np.array([[0, 255, 255, 0]], np.uint8).repeat(4, 0)
    sharp = laid(values, Axis(length=4, start=0, step=0.25), Span(0, 16), Span(0, 16), "cubic")
    assert (sharp.dtype, sharp.min(), sharp.max()) == (np.uint8, 0, 255)
    assert laid(values, Axis(length=4, start=0, step=2), Span(0, 2), Span(0, 2), "average").tolist() == [[128, 128]] * 2


def test_pixels_whose_centre_lies_outside_are_named() -> None:
    assert Axis(length=2, start=-1, step=0.5).inside(Span(0, 7)).tolist() == [False] * 2 + [True] * 4 + [False]
