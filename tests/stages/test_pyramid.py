from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.stages.pyramid import reduce_confidence, reduce_mask

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@given(arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 7, 254, 255])), st.sampled_from([0, 7, 255]))
def test_the_mask_is_the_mode_of_valid_pixels_ties_to_the_lowest(mask: np.ndarray, nodata: int) -> None:
    made = reduce_mask(mask, nodata)
    assert made.shape == (-(-mask.shape[0] // 2), -(-mask.shape[1] // 2))
    for row, col in np.ndindex(made.shape):
        votes = Counter(int(v) for v in mask[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel() if v != nodata)
        expected = min(votes, key=lambda v: (-votes[v], v)) if votes else nodata
        assert made[row, col] == expected


@given(arrays(np.uint8, (5, 7)), arrays(np.bool_, (5, 7)))
def test_confidence_is_the_mean_of_valid_pixels(confidence: np.ndarray, valid: np.ndarray) -> None:
    made = reduce_confidence(confidence, valid)
    for row, col in np.ndindex(made.shape):
        where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        values = confidence[where][valid[where]]
        assert made[row, col] == (int(np.floor(values.mean() + 0.5)) if len(values) else 0)
