"""Tiles of networks that take one size: what is returned holds the core, whatever is left off on each side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.margin import Margin, Trim

TRIMS = st.builds(lambda before, after: (before, after), st.integers(0, 60), st.integers(0, 60))


@given(
    rows=TRIMS,
    cols=TRIMS,
    size=st.integers(150, 260),
    step=st.sampled_from([1, 2, 8, 16]),
    skips=st.tuples(st.integers(0, 15), st.integers(0, 15)),
)
def test_the_core_lies_in_the_middle_of_a_tile_and_all_of_it_is_returned(
    rows: tuple[int, int], cols: tuple[int, int], size: int, step: int, skips: tuple[int, int]
) -> None:
    trims = [
        Trim(before=before, after=after, least=size, step=step, skip=skip % step, tile=size)
        for (before, after), skip in zip((rows, cols), skips, strict=True)
    ]
    core = min(trim.core(step) for trim in trims)
    if not core:
        return
    found = Margin(rows=trims[0], cols=trims[1]).in_one_size(step)
    tile = found.maximum
    assert tile is not None
    assert found.cols.tile == tile
    halo = (tile - core) // 2
    assert halo % step == core % step == 0
    assert halo == -(-found.largest // step) * step
    for before, trim in zip(trims, (found.rows, found.cols), strict=True):
        assert (trim.skip - before.skip) % step == 0, "the network's grid stays where it was"
        assert trim.skip + trim.before <= halo
        assert trim.skip + trim.least - trim.after >= halo + core
        assert trim.slack >= 0


def test_where_as_much_is_left_off_on_each_side_the_core_is_all_that_is_returned() -> None:
    plain = Trim(before=4, after=4, least=60, step=1, tile=60)
    assert Margin(rows=plain, cols=plain).in_one_size(1).maximum == 60
    unet = Trim(before=92, after=92, least=572, step=16, tile=572)
    assert Margin(rows=unet, cols=unet).in_one_size(16).rows == Trim(before=92, after=92, least=572, step=16, tile=576)
    assert Trim(before=97, after=92, least=209, step=16, tile=209).core(16) == 0
