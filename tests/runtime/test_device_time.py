"""What the device waited for, against a look at every point in time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.clock import Interval
from pipeline.runtime.device_time import WAITS, DeviceAccount, DeviceTime, device_summary, longest_wait, recent_activity

START, STOP = 10, 40
STAGES = ("read", "checksum", "wait", "device", "write", "commit")


@st.composite
def blocks(draw: st.DrawFn) -> list[Interval]:
    """A block as it goes through its stages, with pauses between them; any of them may be missing."""
    time, found = draw(st.integers(5, 38)), []
    for kind in STAGES:
        time += draw(st.integers(0, 2))
        size = draw(st.integers(0, 4))
        if draw(st.integers(0, 5)):
            found.append(Interval(kind, time, time + size))
            time += size
    return found


def anything() -> st.SearchStrategy[list[Interval]]:
    """Intervals that no run would have."""
    one = st.tuples(st.sampled_from((*STAGES, "network")), st.integers(5, 45), st.integers(0, 9))
    return st.lists(one.map(lambda of: Interval(of[0], of[1], of[1] + of[2])), max_size=4)


JOBS = st.lists(blocks() | anything(), max_size=6)


def by_points(intervals: list[Interval]) -> dict[str, float]:
    """Shares from the middle of every unit of time."""
    points = [t + 0.5 for t in range(START, STOP)]
    during = [{kind for kind, start, stop in intervals if start < t < stop} for t in points]
    busy = [t for t, kinds in zip(points, during, strict=True) if "device" in kinds]
    found = dict.fromkeys(("busy", *WAITS), 0.0)
    for t, kinds in zip(points, during, strict=True):
        found[state(t, kinds, busy)] += 1 / len(points)
    return found


def state(t: float, kinds: set[str], busy: list[float]) -> str:
    if "device" in kinds:
        return "busy"
    if busy and t < busy[0]:
        return "start"
    if busy and t > busy[-1]:
        return "end"
    if "wait" in kinds:
        return "schedule"
    if kinds & {"read", "checksum"}:
        return "read"
    return "write" if kinds & {"write", "commit"} else "schedule"


def shares(intervals: list[Interval], start: float, stop: float) -> DeviceTime:
    """From all intervals of all blocks, in any order."""
    stalls = DeviceAccount(start)
    stalls.add(intervals)
    return stalls.finish(stop)


def flat(found: DeviceTime) -> dict[str, float]:
    return {"busy": found.busy, **found.waits}


@given(JOBS, st.randoms(use_true_random=False))
def test_shares_are_those_of_all_points_in_time_and_add_up_to_one(
    job: list[list[Interval]], rng: random.Random
) -> None:
    intervals = [one for block in job for one in block]
    expected = by_points(intervals)
    rng.shuffle(intervals)
    found = flat(shares(intervals, START, STOP))
    assert found == pytest.approx(expected)
    assert sum(found.values()) == pytest.approx(1)


@given(JOBS, st.randoms(use_true_random=False))
def test_blocks_that_come_in_as_they_end_give_the_same(job: list[list[Interval]], rng: random.Random) -> None:
    stalls, left = DeviceAccount(START), [block for block in job if block]
    rng.shuffle(left)
    while left:
        stalls.add(left.pop())
        stalls.until(min([STOP, *(one.start for block in left for one in block)]))
        seen = stalls.so_far()
        assert min(seen.values()) >= 0
    assert flat(stalls.finish(STOP)) == pytest.approx(by_points([one for block in job for one in block]))


@given(JOBS)
def test_looking_ahead_changes_nothing_and_sees_what_is_known(job: list[list[Interval]]) -> None:
    stalls, intervals = DeviceAccount(START), [one for block in job for one in block if one.stop <= STOP]
    stalls.add(intervals)
    seen = stalls.so_far()
    assert stalls.so_far() == seen
    device = max((stop for kind, _, stop in intervals if kind == "device"), default=START)
    assert sum(seen.values()) == pytest.approx(max(device, START) - START)
    found = stalls.finish(STOP)
    assert seen["busy"] == pytest.approx(found.busy * (STOP - START))
    assert flat(found) == pytest.approx(by_points(intervals))


def test_what_is_held_does_not_grow_with_the_blocks() -> None:
    stalls, most = DeviceAccount(0.0), 0
    for t in range(20_000):
        stalls.add(
            [
                Interval("read", t - 3, t - 2),
                Interval("wait", t - 2, t - 1),
                Interval("device", t - 1, t - 0.25),
                Interval("write", t, t + 1),
            ]
        )
        stalls.until(t - 3)
        most = max(most, len(stalls))
    assert most < 40
    assert stalls.finish(20_000).busy == pytest.approx(0.75, abs=1e-3)


def test_what_comes_too_late_is_counted_from_where_it_was_gone_through_to() -> None:
    stalls = DeviceAccount(0)
    stalls.add([Interval("device", 0, 2), Interval("read", 2, 8)])
    stalls.until(6)
    stalls.add([Interval("device", 5, 8)])
    found = stalls.finish(10)
    assert (found.busy, found.waits["read"], found.waits["end"]) == pytest.approx((0.4, 0.4, 0.2))


def test_a_block_in_the_queue_is_no_stall_while_the_device_works() -> None:
    found = shares([Interval("device", 0, 5), Interval("wait", 0, 5), Interval("device", 5, 10)], 0, 10)
    assert found.busy == 1
    assert not any(found.waits.values())


def test_work_of_the_device_is_split_and_adds_up_to_what_it_was_busy() -> None:
    inside = [Interval("normalise", 2, 3), Interval("network", 3, 6), Interval("decode", 6, 7)]
    found = shares([Interval("read", 0, 2), *inside, Interval("device", 2, 8)], 0, 10)
    assert found.work == pytest.approx({"normalise": 0.1, "network": 0.3, "decode": 0.1, "other": 0.1})
    assert sum(found.work.values()) == pytest.approx(found.busy)


def test_a_line_tells_what_counts_the_largest_first() -> None:
    found = DeviceTime(
        seconds=21.44,
        busy=0.93,
        waits={"start": 0.01, "read": 0.03, "write": 0.004, "schedule": 0.0, "end": 0.026},
        work={"normalise": 0.03, "network": 0.86, "decode": 0.04, "other": 0.0},
    )
    assert (
        device_summary(found, parts=False)
        == "busy 93 % of 21.4 s; waited for reading 3 %, the last block 3 %, the first block 1 %"
    )
    assert device_summary(found, parts=True).startswith(
        "busy 93 % of 21.4 s (network 86 %, decoding 4 %, normalising 3 %); waited"
    )
    idle = DeviceTime(seconds=1, busy=1, waits=dict.fromkeys(WAITS, 0.0), work={})
    assert device_summary(idle, parts=True) == "busy 100 % of 1.0 s"


def test_a_line_between_two_looks_tells_only_of_the_time_between_them() -> None:
    none = dict.fromkeys(("busy", *WAITS), 0.0)
    first = {**none, "busy": 1.0, "start": 9.0}
    assert recent_activity({}, none) == "waits for the first block"
    assert recent_activity(none, first) == "device busy 10 %, waits for the first block"
    assert (
        recent_activity(first, {**first, "busy": 4.0, "read": 0.5, "write": 0.5 + 1e-6})
        == "device busy 75 %, waits for writing"
    )
    assert recent_activity(first, {**first, "busy": 1001.0, "read": 0.5}) == "device busy 100 %"
    assert (
        recent_activity({"read": 5.0}, {**none, "busy": 1.0, "start": 5.0, "read": 0.0})
        == "device busy 100 %, waits for the first block"
    )


def test_what_took_longest_between_two_looks_is_waited_for() -> None:
    none = dict.fromkeys(("busy", *WAITS), 0.0)
    first = {**none, "busy": 1.0, "start": 9.0}
    assert longest_wait({}, none) == "the first block"
    assert longest_wait(none, first) == "the first block"
    assert longest_wait(first, {**first, "busy": 4.0, "read": 0.5}) == "the network"
    assert longest_wait(first, {**first, "busy": 1.1, "read": 0.5, "write": 0.6}) == "writing"
