from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window
from pipeline.inference import picture
from pipeline.inference.picture import PicturePart, means_of_squares
from pipeline.inference.recipe import Block
from pipeline.interfaces import Pixels
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.picture_spec import PictureSpec
from tests.store import specs


def by_hand(band: np.ndarray, valid: np.ndarray, scale: int, take: Callable[..., float]) -> np.ndarray:
    """Square by square."""
    rows, cols = (-(-length // scale) for length in band.shape)
    squares = [
        [np.s_[r * scale : (r + 1) * scale, c * scale : (c + 1) * scale] for c in range(cols)] for r in range(rows)
    ]
    return np.array([[take(band[square], valid[square]) for square in row] for row in squares])


def mean(band: np.ndarray, valid: np.ndarray) -> float:
    return float(band[valid].astype(float).mean()) if valid.any() else 0.0


@given(
    rows=st.integers(1, 13),
    cols=st.integers(1, 13),
    scale=st.integers(1, 6),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64"]),
    invalid=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_pixel_is_the_mean_of_the_valid_ones_of_its_square(
    rows: int, cols: int, scale: int, dtype: str, invalid: float
) -> None:
    rng = np.random.default_rng(rows * 13 + cols)
    kind = np.dtype(dtype)
    low, high = (-(2**14), 2**14) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    band = rng.uniform(low, high, (rows, cols)).astype(dtype)
    valid = rng.random((rows, cols)) >= invalid
    noise = band.copy()
    noise[~valid] = np.nan if kind.kind == "f" else high
    kept = dtype if kind.itemsize <= 2 else "float32"
    means = means_of_squares([noise], valid, PictureSpec(bands=(0,), scale=scale, dtype=kept, chunk=1))
    expected = by_hand(band, valid, scale, mean)
    tolerance = 0.5 if kept != "float32" else 1e-6 * high + 1e-3
    assert means.dtype == kept
    assert np.abs(means[0] - expected).max() <= tolerance
    share = by_hand(band, valid, scale, lambda _, part: float(np.ceil(100 * part.mean() - 1e-9)))
    assert (means[1] == share).all()


SPEC = PictureSpec(bands=(1,), scale=2, dtype="uint16", chunk=16)


@pytest.mark.parametrize("frame", [(24, 24, 60, 80), (40, 40, 20, 30)], ids=["with a halo", "of which a part is read"])
def test_a_block_writes_its_chunks_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: tuple[int, int, int, int]
) -> None:
    monkeypatch.setattr(picture, "STRIP_PX", 130)  # two rows of squares at a time
    store = tmp_path / "job.zarr"
    create(store, specs.spec(picture=SPEC), {"picture": SPEC.as_dict()})
    window, read = (
        Window(row=32, col=32, height=32, width=64),
        Window(row=frame[0], col=frame[1], height=frame[2], width=frame[3]),
    )
    rows, cols = np.mgrid[read.rows.start : read.rows.stop, read.cols.start : read.cols.stop]
    data = np.stack([rows * 0, 1 + rows * 200 + cols]).astype("uint16")
    pixels = Pixels(data=data, valid=np.ones(rows.shape, bool))
    PicturePart(spec=SPEC, block=Block(BlockIndex(1, 1), window, read, pixels)).write(store)
    every, valid = np.zeros((100, 130), int), np.zeros((100, 130), bool)
    inside = window.intersect(read)
    every[inside.slices], valid[inside.slices] = data[1][inside.index_in(read)], True
    expected = by_hand(every, valid, 2, mean)
    written = open_layer(store, 0, "mask/picture")[:]
    assert np.abs(written[0] - expected).max() <= 0.5
    assert ((written[1] > 0) == (expected > 0)).all()
    chunks = {
        path.relative_to(store / "0/mask/picture/c").as_posix() for path in (store / "0/mask/picture/c").rglob("*/*/*")
    }
    assert chunks <= {f"0/{row}/{col}" for row in (1,) for col in (1, 2)}
    assert chunks
