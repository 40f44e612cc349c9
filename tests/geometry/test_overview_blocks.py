import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.blocks import overview_blocks_above


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(3, 90),
    st.integers(2, 40),
    st.integers(1, 4),
    st.integers(0, 2**20),
)
def test_blocks_of_overviews_are_due_over_each_pixel_of_a_block_that_is_there_and_nowhere_else(
    height: int, width: int, block: int, side: int, levels: int, seed: int
) -> None:
    rows, cols = -(-height // block), -(-width // block)
    chosen = np.random.default_rng(seed).random((rows, cols)) < 0.3
    there = np.kron(chosen, np.ones((block, block), bool))
    found = overview_blocks_above(zip(*np.nonzero(chosen), strict=True), block, side, levels)
    assert len(found) == levels - 1
    for some in found:
        there = np.pad(there, ((0, there.shape[0] % 2), (0, there.shape[1] % 2)))
        there = there[::2, ::2] | there[1::2, ::2] | there[::2, 1::2] | there[1::2, 1::2]
        expected = {(int(row) // side, int(col) // side) for row, col in zip(*np.nonzero(there), strict=True)}
        assert some == expected
        there = np.zeros_like(np.pad(there, ((0, -there.shape[0] % side), (0, -there.shape[1] % side))))
        for row, col in some:
            there[row * side : (row + 1) * side, col * side : (col + 1) * side] = True
