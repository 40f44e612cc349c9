from typing import Any

import pytest

from pipeline.engines.dask import worker_registry as rosters
from pipeline.engines.dask.connection import WorkerReply, WorkersSeen
from pipeline.engines.dask.worker_registry import ClusterControl, WorkerRegistry
from pipeline.engines.dask.worker_side import WorkerReport
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import EngineOptions


class Keeping:
    def __init__(self) -> None:
        self.replaced, self.retired = 0, []
        self.keeper = ClusterControl(start_missing=self._replace, stop_worker=self.retired.append)

    def _replace(self) -> None:
        self.replaced += 1


def made(said: list[str], keeper: ClusterControl | None = None, patience: float = 100) -> WorkerRegistry:
    return WorkerRegistry(options=EngineOptions(notify=said.append, patience=patience), control=keeper)


def answer(address: str, *lacks: str) -> WorkerReply:
    return WorkerReply(
        address=address, report=WorkerReport(host=f"host of {address}", name=f"name of {address}", missing=lacks)
    )


def roll(**there: int) -> WorkersSeen:
    return WorkersSeen(threads=there)


def test_nobody_is_given_anything_before_all_that_are_there_have_answered() -> None:
    roster = made([])
    assert roster.update(roll(a=1, b=2)) == ["a", "b"]
    roster.record_reply(answer("a"))
    assert roster.assignable == {}
    assert roster.update(roll(a=1, b=2)) == []
    roster.record_reply(answer("b"))
    assert roster.assignable == {"a": 1, "b": 2}


def test_at_the_start_all_that_lack_something_are_named_and_the_run_ends() -> None:
    roster = made([])
    roster.update(roll(a=1, b=2, c=1))
    roster.record_reply(answer("a", "the raster"))
    roster.record_reply(answer("b"))
    with pytest.raises(
        WorkerError,
        match=r"host of a \(a\) cannot run this job: the raster.*host of c \(c\).*the weights; a GPU.*Nothing was run",
    ) as error:
        roster.record_reply(answer("c", "the weights", "a GPU"))
    assert error.value.exit_code == 2


def test_one_that_comes_late_and_lacks_something_is_named_sent_away_and_passed_over() -> None:
    said: list[str] = []
    keeping = Keeping()
    roster = made(said, keeping.keeper)
    roster.update(roll(a=1))
    roster.record_reply(answer("a"))
    assert roster.update(roll(a=1, late=1)) == ["late"]
    roster.record_reply(answer("late", "the weights"))
    assert roster.assignable == {"a": 1}
    assert "host of late" in said[-1]
    assert "the weights" in said[-1]
    assert keeping.retired == ["name of late"]
    assert roster.update(roll(a=1, late=1)) == []


def test_one_that_comes_late_is_asked_and_takes_part() -> None:
    said: list[str] = []
    roster = made(said)
    roster.update(roll(a=1))
    roster.record_reply(answer("a"))
    assert said == []
    roster.update(roll(a=1, b=4))
    roster.record_reply(answer("b"))
    assert roster.assignable == {"a": 1, "b": 4}
    assert "has come" in said[-1]


def test_one_that_goes_is_named_and_given_nothing_more() -> None:
    said: list[str] = []
    keeping = Keeping()
    roster = made(said, keeping.keeper)
    roster.update(roll(a=1, b=1))
    for address in "ab":
        roster.record_reply(answer(address))
    roster.update(roll(b=1))
    assert roster.assignable == {"b": 1}
    assert "host of a" in said[-1]
    assert keeping.replaced == 1


def test_one_that_did_not_answer_is_asked_again_and_does_not_hold_up_the_start() -> None:
    roster = made([])
    roster.update(roll(a=1, b=1))
    roster.record_reply(answer("a"))
    roster.record_reply(WorkerReply(address="b", report=None))
    assert roster.assignable == {"a": 1}
    assert roster.update(roll(a=1, b=1)) == ["b"]


def test_one_that_is_not_the_one_that_was_asked_is_asked_again() -> None:
    roster = made([])
    roster.update(roll(a=1))
    roster.record_reply(answer("a"))
    roster.distrust("a")
    assert roster.assignable == {}
    assert roster.update(roll(a=1)) == ["a"]


def test_other_work_is_given_to_all_anew_and_nobody_is_said_to_have_come() -> None:
    said: list[str] = []
    roster = made(said)
    roster.update(roll(a=1, bad=1))
    roster.record_reply(answer("a"))
    roster.is_startup_done = True
    roster.record_reply(answer("bad", "a GPU"))
    before = len(said)
    roster.reset()
    assert roster.assignable == {}
    assert roster.update(roll(a=1, bad=1)) == ["a"]
    roster.record_reply(answer("a"))
    assert roster.assignable == {"a": 1}
    assert len(said) == before


def test_without_any_worker_a_run_gives_up_in_the_end_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = WorkerRegistry(
        options=EngineOptions(patience=100, notify=lambda line: None),
        control=None,
        _last_worker_at=0.0,
        _last_check_at=0.0,
    )
    roster.update(roll(a=1))
    roster.record_reply(answer("a"))
    for clock[0] in range(0, 300, 10):
        roster.check(is_silent=False, is_closed=False)
    roster.update(roll())
    for clock[0] in range(300, 390, 10):
        roster.check(is_silent=False, is_closed=False)
    clock[0] = 395
    with pytest.raises(
        Unfinished, match=r"For 100 s \(execution.patience\) there was no worker.*run the same command again"
    ) as error:
        roster.check(is_silent=False, is_closed=False)
    assert error.value.exit_code == 75


def test_time_in_which_nobody_looked_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = WorkerRegistry(
        options=EngineOptions(patience=100, notify=lambda line: None),
        control=None,
        _last_worker_at=0.0,
        _last_check_at=0.0,
    )
    clock[0] = 5000.0  # the laptop was closed
    roster.check(is_silent=False, is_closed=False)
    clock[0] = 5040.0
    roster.check(is_silent=False, is_closed=False)


def test_a_scheduler_that_is_silent_too_long_ends_the_run_and_one_that_is_gone_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = WorkerRegistry(
        options=EngineOptions(patience=100, notify=lambda line: None),
        control=None,
        _last_worker_at=0.0,
        _last_check_at=0.0,
    )
    roster.update(roll(a=1))
    roster.record_reply(answer("a"))
    with pytest.raises(Unfinished, match="did not answer"):  # noqa: PT012  # the clock goes on
        for clock[0] in range(0, 200, 10):
            roster.check(is_silent=True, is_closed=False)
    with pytest.raises(Unfinished, match="connection to the scheduler is lost"):
        roster.check(is_silent=True, is_closed=True)
