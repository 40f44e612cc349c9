"""Work in a thread of its own: its result or its error, and nobody waits who does not ask."""

from __future__ import annotations

import threading

import pytest

from pipeline.runtime.background import start_in_background


def test_work_runs_beside_its_caller_and_its_result_is_waited_for() -> None:
    may_end = threading.Event()
    future = start_in_background(lambda: may_end.wait(10) and threading.current_thread().name, "beside")
    assert not future.done()
    may_end.set()
    assert future.result(10) == "beside"


def test_the_error_of_the_work_is_met_by_whoever_asks() -> None:
    def fail() -> None:
        raise KeyError("gone")

    future = start_in_background(fail, "beside")
    with pytest.raises(KeyError, match="gone"):
        future.result(10)


def test_the_end_of_the_process_waits_for_no_work() -> None:
    may_end = threading.Event()
    start_in_background(may_end.wait, "endless")
    assert next(thread for thread in threading.enumerate() if thread.name == "endless").daemon
    may_end.set()
