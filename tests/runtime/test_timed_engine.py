from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.engines import KINDS
from pipeline.runtime import timed_engine as module
from pipeline.runtime.clock import Clock, Timing, now, on_callers_clock, timed_stage
from pipeline.runtime.timed_engine import TimedEngine


@dataclass(frozen=True)
class Result:
    index: int
    timing: Timing


def task(index: int) -> Result:
    clock = Clock()
    with clock.running():
        with timed_stage("read"):
            pass

        def work() -> None:
            with timed_stage("device"):
                sum(range(2000))

        on_callers_clock(work)()
        with timed_stage("write"):
            pass
    return Result(index, clock.timing("block", (index, 0)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_everything_comes_through_and_what_is_held_is_what_is_in_flight(kind: str) -> None:
    done, most = [], 0
    with KINDS[kind](3) as engine:
        watch = TimedEngine(engine)
        for result in watch(task, range(200)):
            done.append(result)
            most = max(most, len(watch.accounts))
    assert sorted(result.index for result in done) == list(range(200))
    assert most < 200
    found = watch.accounts.finish(now())
    device = sum(stop - start for result in done for kind, start, stop in result.timing.intervals if kind == "device")
    assert 0 < found.busy * found.seconds <= device * (1 + 1e-9)
    if kind == "serial":
        assert found.busy * found.seconds == pytest.approx(device)


def test_a_block_that_never_comes_back_is_not_waited_for_by_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OVERTAKING_BLOCKS", 50)
    late: list[Result] = []

    def engine(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if item == 3:
                late.append(work(item))
            else:
                yield work(item)
        yield from late

    watch, held = TimedEngine(engine), []
    for _ in watch(task, range(1000)):
        held.append(len(watch.accounts))
    assert held[52] > 200  # four intervals each, two events each, while it is waited for
    assert max(held) < 53 * 8
    assert held[-1] < 9
    assert watch.accounts.finish(now()).busy > 0


class Noted:
    """A trace that remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Timing | float] = []

    def add(self, timing: Timing) -> None:
        self.told.append(timing)

    def until(self, time: float) -> None:
        self.told.append(time)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_a_trace_gets_every_block_and_what_it_is_told_to_be_known_is(kind: str) -> None:
    noted = Noted()
    with KINDS[kind](3) as engine:
        list(TimedEngine(engine, noted)(task, range(100)))  # type: ignore[arg-type]
    blocks, known = noted.told[::2], noted.told[1::2]
    assert sorted(timing.block[0] for timing in blocks) == list(range(100))
    assert known == sorted(known)
    assert all(timing.start >= time for k, time in enumerate(known) for timing in blocks[k + 1 :])
    assert known[-1] >= max(timing.stop for timing in blocks)
