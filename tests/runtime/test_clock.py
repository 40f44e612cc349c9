from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.runtime.clock import Clock, Interval, Timing, now, on_callers_clock, timed_stage


def test_time_is_that_of_the_epoch_and_never_goes_back() -> None:
    assert abs(now() - time.time()) < 5
    times = [now() for _ in range(1000)]
    assert times == sorted(times)


def test_another_process_has_the_same_time() -> None:
    before = now()
    said = float(
        subprocess.run(
            [sys.executable, "-c", "from pipeline.runtime.clock import now; print(now())"],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert before - 0.1 <= said <= now() + 0.1


def test_stages_are_noted_in_the_order_in_which_they_end_with_the_block_around_them() -> None:
    clock = Clock()
    with clock.running(), timed_stage("device"), timed_stage("network"):
        pass
    timing = clock.timing("overview", (3, 4), level=2)
    inner, outer = timing.intervals
    assert (inner.kind, outer.kind) == ("network", "device")
    assert timing.start <= outer.start <= inner.start <= inner.stop <= outer.stop <= timing.stop
    assert (timing.kind, timing.block, timing.level) == ("overview", (3, 4), 2)
    assert (timing.process, timing.lane) == (os.getpid(), threading.current_thread().name)
    assert pickle.loads(pickle.dumps(timing)) == timing


def test_a_stage_that_fails_is_noted_as_well() -> None:
    clock = Clock()
    with pytest.raises(KeyError), clock.running(), timed_stage("read"):
        raise KeyError
    assert [one.kind for one in clock.timing("block", (0, 0)).intervals] == ["read"]


def test_without_a_clock_nothing_is_noted_and_work_is_carried_as_it_is() -> None:
    clock = Clock()
    with clock.running():
        pass
    with timed_stage("read"):
        pass
    assert clock.timing("block", (0, 0)).intervals == ()
    assert (
        on_callers_clock(test_without_a_clock_nothing_is_noted_and_work_is_carried_as_it_is)
        is test_without_a_clock_nothing_is_noted_and_work_is_carried_as_it_is
    )


def test_clocks_of_other_threads_are_left_alone_and_one_is_carried_to_the_thread_that_does_the_work() -> None:
    clock = Clock()

    def work() -> str:
        with timed_stage("device"):
            return threading.current_thread().name

    with ThreadPoolExecutor(1, thread_name_prefix="device") as pool:
        with clock.running():
            assert pool.submit(on_callers_clock(work)).result().startswith("device")
            pool.submit(work).result()
        pool.submit(work).result()
    wait, device = clock.timing("block", (0, 0)).intervals
    assert (wait.kind, device.kind) == ("wait", "device")
    assert wait.start <= wait.stop <= device.start


def test_seconds_are_summed_by_stage_and_what_lies_inside_counts_once() -> None:
    kinds = {"read": 1, "checksum": 2, "wait": 4, "device": 8, "network": 16, "decode": 32, "write": 64, "commit": 128}
    intervals = tuple(Interval(kind, 1000.0, 1000.0 + seconds) for kind, seconds in kinds.items())
    timing = Timing(
        kind="block", block=(0, 0), level=0, process=1, lane="x", start=1000, stop=2000, intervals=intervals
    )
    assert timing.seconds == {"read": 3, "device": 12, "write": 192}
