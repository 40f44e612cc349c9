from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.clock import Sweep

INTERVALS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 9)))


@given(INTERVALS, st.integers(-1, 40))
def test_what_happens_comes_in_order_and_only_the_rest_is_held(
    intervals: list[tuple[str, int, int]], until: int
) -> None:
    sweep = Sweep()
    for kind, start, size in intervals:
        sweep.add(kind, start, start + size)
    expected = sorted(
        [(start, 1, kind) for kind, start, _ in intervals]
        + [(start + size, -1, kind) for kind, start, size in intervals]
    )
    assert len(sweep) == len(expected)
    ahead = sweep.peek_until(until)
    assert len(sweep) == len(expected)
    assert list(sweep.until(until)) == ahead == [event for event in expected if event[0] <= until]
    assert len(sweep) == len([event for event in expected if event[0] > until])
    assert list(sweep.until(100)) == [event for event in expected if event[0] > until]
