from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.store.downsample import any_2x2, mean_2x2, mode_2x2

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def mode(mask: np.ndarray, nodata: int) -> np.ndarray:
    """Brute force."""
    made = np.empty((-(-mask.shape[0] // 2), -(-mask.shape[1] // 2)), mask.dtype)
    for row, col in np.ndindex(made.shape):
        votes = Counter(int(v) for v in mask[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel() if v != nodata)
        made[row, col] = min(votes, key=lambda v: (-votes[v], v)) if votes else nodata
    return made


@given(arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 7, 254, 255])), st.sampled_from([0, 7, 255]))
def test_the_mask_is_the_mode_of_valid_pixels_ties_to_the_lowest(mask: np.ndarray, nodata: int) -> None:
    made = mode_2x2(mask, nodata)
    assert made.dtype == np.uint8
    assert (made == mode(mask, nodata)).all()


@given(
    arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 1, 255, 256, 65534, 65535])), st.sampled_from([256, 65535])
)
def test_wide_codes_vote_like_narrow_ones(mask: np.ndarray, nodata: int) -> None:
    made = mode_2x2(mask, nodata)
    assert made.dtype == np.uint16
    assert (made == mode(mask, nodata)).all()


@given(arrays(np.uint8, (5, 7)), arrays(np.bool_, (5, 7)))
def test_confidence_is_the_mean_of_valid_pixels(confidence: np.ndarray, valid: np.ndarray) -> None:
    made = mean_2x2(confidence, valid, 0)
    for row, col in np.ndindex(made.shape):
        where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        values = confidence[where][valid[where]]
        assert made[row, col] == (int(np.floor(values.mean() + 0.5)) if len(values) else 0)


@pytest.mark.parametrize("fill", [0, 255])
@given(arrays(np.uint8, (5, 7)), arrays(np.bool_, (5, 7)))
def test_bytes_are_the_mean_of_valid_pixels_and_the_fill_value_where_there_are_none(
    fill: int, values: np.ndarray, valid: np.ndarray
) -> None:
    made = mean_2x2(values, valid, fill)
    for row, col in np.ndindex(made.shape):
        where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        known = values[where][valid[where]]
        assert made[row, col] == (int(np.floor(known.mean() + 0.5)) if len(known) else fill)


@given(arrays(np.float16, SHAPES, elements=st.floats(0, 1, width=16)), st.randoms(use_true_random=False))
def test_floats_are_the_mean_of_valid_pixels_and_not_numbers_where_there_are_none(
    values: np.ndarray, random: np.random.Generator
) -> None:
    valid = np.array([random.random() < 0.6 for _ in range(values.size)]).reshape(values.shape)
    values = np.where(valid, values, np.float16(np.nan))
    made = mean_2x2(values, valid, np.nan)
    assert made.dtype == np.float16
    for row, col in np.ndindex(made.shape):
        where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        known = values[where][valid[where]].astype(float)
        assert (made[row, col] == pytest.approx(known.mean(), abs=2e-3)) if len(known) else np.isnan(made[row, col])


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@given(st.data())
def test_integers_below_0_are_rounded_half_up_too(dtype: type[np.signedinteger], data: st.DataObject) -> None:
    values, valid = data.draw(arrays(dtype, (5, 7))), data.draw(arrays(np.bool_, (5, 7)))
    made, known_anywhere = mean_2x2(values, valid, -7), any_2x2(valid)
    assert made.dtype == dtype
    for row, col in np.ndindex(made.shape):
        where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        known = values[where][valid[where]].astype(float)
        assert known_anywhere[row, col] == bool(len(known))
        assert made[row, col] == (int(np.floor(known.mean() + 0.5)) if len(known) else -7)


def test_large_floats_do_not_overflow_on_the_way_to_their_mean() -> None:
    large = np.full((2, 2), 3e38, dtype=np.float32)
    assert mean_2x2(large, np.ones((2, 2), bool), np.nan) == np.float32(3e38)
