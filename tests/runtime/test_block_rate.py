"""When blocks will be done, by the recent ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.block_rate import MAX_WAVES, BlockRate


def rate_of(times: list[float], in_flight: int = 1) -> BlockRate:
    """Blocks that came back at these times, after a start at 0 s."""
    rate = BlockRate(0.0, in_flight)
    for time in times:
        rate.add(time)
    return rate


def test_nothing_is_known_before_the_first_block() -> None:
    assert BlockRate(0.0).time_left(10, 5.0) is None
    assert not BlockRate(0.0).is_stalled(1e6)


def test_steady_blocks_have_no_spread() -> None:
    left = rate_of([10.0, 20.0, 30.0, 40.0]).time_left(6, 40.0)
    assert left == (60.0, 60.0, False)


def test_the_time_since_the_last_block_counts() -> None:
    left = rate_of([10.0, 20.0, 30.0, 40.0]).time_left(6, 44.0)
    assert left == (56.0, 56.0, False)
    assert rate_of([10.0, 20.0, 30.0, 40.0]).time_left(1, 1000.0) == (0.0, 0.0, False)


def test_blocks_that_come_in_waves_count_by_waves() -> None:
    left = rate_of([10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30], in_flight=4).time_left(8, 30.0)
    assert left == (20.0, 20.0, False)


def test_the_first_wave_is_rough_and_counts_blocks_that_are_still_out() -> None:
    left = rate_of([8.0], in_flight=4).time_left(11, 8.0)
    assert left is not None
    assert left.is_rough
    assert left.low == left.high == 22.0


def test_uneven_blocks_have_a_spread_around_their_mean() -> None:
    left = rate_of([10.0, 30.0, 40.0, 60.0, 70.0, 90.0]).time_left(10, 90.0)
    assert left is not None
    assert left.middle == pytest.approx(160.0)  # the first of six waves is left out: 80 s for 5
    assert 100 < left.low < left.middle < left.high < 220


def test_only_recent_blocks_count() -> None:
    slow = [100.0 * k for k in range(1, 50)]
    fast = [slow[-1] + k for k in range(1, MAX_WAVES + 2)]
    left = rate_of([*slow, *fast]).time_left(10, fast[-1])
    assert left == (10.0, 10.0, False)


def test_a_run_stands_still_after_a_minute_and_three_blocks() -> None:
    rate = rate_of([1.0, 2.0])
    assert not rate.is_stalled(61.0)
    assert rate.is_stalled(63.0)
    slow = rate_of([100.0, 200.0])
    assert not slow.is_stalled(499.0)
    assert slow.is_stalled(501.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=80), st.integers(1, 9), st.integers(0, 1000))
def test_low_is_never_above_high_nor_below_nothing(gaps: list[float], in_flight: int, blocks: int) -> None:
    times = [sum(gaps[: k + 1]) for k in range(len(gaps))]
    left = rate_of(times, in_flight).time_left(blocks, times[-1])
    assert left is not None
    assert 0 <= left.low <= left.high
