from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.objects import labels

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
CODES = hnp.arrays(st.sampled_from([np.uint8, np.uint16]), SHAPES, elements=st.integers(0, 2))


@given(codes=CODES, nodata=st.sampled_from([0, 1, 255]), connectivity=st.sampled_from([4, 8]))
def test_both_libraries_give_the_same_labels(codes: np.ndarray, nodata: int, connectivity: Any) -> None:
    results = []
    for labeller in (labels.label_by_skimage, labels.label_by_cc3d):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labels, "_labeller", lambda labeller=labeller: labeller)
            results.append(labels.label_block(codes, nodata, connectivity))
    assert results[0][1] == results[1][1]
    assert (results[0][0] == results[1][0]).all()
    assert ((results[0][0] == 0) == (codes == nodata)).all()
