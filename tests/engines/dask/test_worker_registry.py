from typing import Any

import pytest

from pipeline.engines.dask import worker_registry as rosters
from pipeline.engines.dask.connection import Answer, Roll
from pipeline.engines.dask.worker_registry import Keeper, Roster
from pipeline.engines.dask.worker_side import Enrolled
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import Terms


class Keeping:
    def __init__(self) -> None:
        self.replaced, self.retired = 0, []
        self.keeper = Keeper(replace=self._replace, retire=self.retired.append)

    def _replace(self) -> None:
        self.replaced += 1


def made(said: list[str], keeper: Keeper | None = None, patience: float = 100) -> Roster:
    return Roster(terms=Terms(tell=said.append, patience=patience), keeper=keeper)


def answer(address: str, *lacks: str) -> Answer:
    return Answer(address=address, said=Enrolled(host=f"host of {address}", name=f"name of {address}", lacks=lacks))


def roll(**there: int) -> Roll:
    return Roll(there=there)


def test_nobody_is_given_anything_before_all_that_are_there_have_answered() -> None:
    roster = made([])
    assert roster.called(roll(a=1, b=2)) == ["a", "b"]
    roster.answered(answer("a"))
    assert roster.hands == {}
    assert roster.called(roll(a=1, b=2)) == []
    roster.answered(answer("b"))
    assert roster.hands == {"a": 1, "b": 2}


def test_at_the_start_all_that_lack_something_are_named_and_the_run_ends() -> None:
    roster = made([])
    roster.called(roll(a=1, b=2, c=1))
    roster.answered(answer("a", "the raster"))
    roster.answered(answer("b"))
    with pytest.raises(WorkerError, match=r"host of a \(a\) cannot run this job: the raster.*host of c \(c\).*the weights; a GPU.*Nothing was run") as error:
        roster.answered(answer("c", "the weights", "a GPU"))
    assert error.value.exit_code == 2


def test_one_that_comes_late_and_lacks_something_is_named_sent_away_and_passed_over() -> None:
    said: list[str] = []
    keeping = Keeping()
    roster = made(said, keeping.keeper)
    roster.called(roll(a=1))
    roster.answered(answer("a"))
    assert roster.called(roll(a=1, late=1)) == ["late"]
    roster.answered(answer("late", "the weights"))
    assert roster.hands == {"a": 1}
    assert "host of late" in said[-1]
    assert "the weights" in said[-1]
    assert keeping.retired == ["name of late"]
    assert roster.called(roll(a=1, late=1)) == []


def test_one_that_comes_late_is_asked_and_takes_part() -> None:
    said: list[str] = []
    roster = made(said)
    roster.called(roll(a=1))
    roster.answered(answer("a"))
    assert said == []
    roster.called(roll(a=1, b=4))
    roster.answered(answer("b"))
    assert roster.hands == {"a": 1, "b": 4}
    assert "has come" in said[-1]


def test_one_that_goes_is_named_and_given_nothing_more() -> None:
    said: list[str] = []
    keeping = Keeping()
    roster = made(said, keeping.keeper)
    roster.called(roll(a=1, b=1))
    for address in "ab":
        roster.answered(answer(address))
    roster.called(roll(b=1))
    assert roster.hands == {"b": 1}
    assert "host of a" in said[-1]
    assert keeping.replaced == 1


def test_one_that_did_not_answer_is_asked_again_and_does_not_hold_up_the_start() -> None:
    roster = made([])
    roster.called(roll(a=1, b=1))
    roster.answered(answer("a"))
    roster.answered(Answer(address="b", said=None))
    assert roster.hands == {"a": 1}
    assert roster.called(roll(a=1, b=1)) == ["b"]


def test_one_that_is_not_the_one_that_was_asked_is_asked_again() -> None:
    roster = made([])
    roster.called(roll(a=1))
    roster.answered(answer("a"))
    roster.doubt("a")
    assert roster.hands == {}
    assert roster.called(roll(a=1)) == ["a"]


def test_other_work_is_given_to_all_anew_and_nobody_is_said_to_have_come() -> None:
    said: list[str] = []
    roster = made(said)
    roster.called(roll(a=1, bad=1))
    roster.answered(answer("a"))
    roster.begun = True
    roster.answered(answer("bad", "a GPU"))
    before = len(said)
    roster.anew()
    assert roster.hands == {}
    assert roster.called(roll(a=1, bad=1)) == ["a"]
    roster.answered(answer("a"))
    assert roster.hands == {"a": 1}
    assert len(said) == before


def test_without_any_worker_a_run_gives_up_in_the_end_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = Roster(terms=Terms(patience=100, tell=lambda line: None), keeper=None, _alive=0.0, _looked=0.0)
    roster.called(roll(a=1))
    roster.answered(answer("a"))
    for clock[0] in range(0, 300, 10):
        roster.check(lost=False, gone=False)
    roster.called(roll())
    for clock[0] in range(300, 390, 10):
        roster.check(lost=False, gone=False)
    clock[0] = 395
    with pytest.raises(Unfinished, match=r"For 100 s \(execution.patience\) there was no worker.*run the same command again") as error:
        roster.check(lost=False, gone=False)
    assert error.value.exit_code == 75


def test_time_in_which_nobody_looked_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = Roster(terms=Terms(patience=100, tell=lambda line: None), keeper=None, _alive=0.0, _looked=0.0)
    clock[0] = 5000.0  # the laptop was closed
    roster.check(lost=False, gone=False)
    clock[0] = 5040.0
    roster.check(lost=False, gone=False)


def test_a_scheduler_that_is_silent_too_long_ends_the_run_and_one_that_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = [0.0]
    monkeypatch.setattr(rosters.time, "monotonic", lambda: clock[0])
    roster = Roster(terms=Terms(patience=100, tell=lambda line: None), keeper=None, _alive=0.0, _looked=0.0)
    roster.called(roll(a=1))
    roster.answered(answer("a"))
    with pytest.raises(Unfinished, match="did not answer"):  # noqa: PT012  # the clock goes on
        for clock[0] in range(0, 200, 10):
            roster.check(lost=True, gone=False)
    with pytest.raises(Unfinished, match="connection to the scheduler is lost"):
        roster.check(lost=True, gone=True)
