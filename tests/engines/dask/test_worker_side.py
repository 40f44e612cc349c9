import asyncio
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import __version__
from pipeline.engines.dask import worker_side as enrolling
from pipeline.engines.dask.worker_side import WorkerReport, end_run, register_work, unregister_work, versions, work_item
from tests.engines.works import Lacking, Rooms, square


class Minding:
    """Remembers what it was told."""

    told: list[str] = []  # noqa: RUF012  # of all of them, since they come by pickle

    def __call__(self, room: int | None) -> tuple[str, ...]:
        Minding.told.append("asked")
        return ()

    def abort(self) -> None:
        Minding.told.append("halt")

    def release(self) -> None:
        Minding.told.append("leave")


@pytest.fixture(autouse=True)
def _nobody() -> Any:
    Minding.told.clear()
    yield
    enrolling._works.clear()
    enrolling._needs.clear()


def asked(run: str, work: str, needs: Any, wanted: dict[str, str] | None = None, **worker: Any) -> WorkerReport:
    given = (run, work, wanted or versions(), pickle.dumps(needs), pickle.dumps(square))
    return asyncio.run(register_work(*given, dask_worker=SimpleNamespace(name="7", **worker)))


def test_a_process_that_lacks_nothing_takes_up_the_work_and_says_who_it_is() -> None:
    said = asked("run", "work", None)
    assert (said.missing, said.name) == ((), "7")
    assert said.host
    assert work_item("work", 5) == 25


def test_a_process_that_lacks_something_does_not_take_up_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("run", "work", Lacking(what=("the weights", "a GPU"))).missing == ("the weights", "a GPU")
    assert "work" not in enrolling._works


def test_another_version_is_named_before_anything_is_read() -> None:
    class Unreadable:
        def __reduce__(self) -> Any:
            return eval, ("1/0",)

    said = asked("run", "work", Unreadable(), {**versions(), "wholecloth": "9.9"})
    assert said.missing == (f"wholecloth {__version__} is here, and 9.9 where the run was started",)


def test_a_process_is_asked_once_for_all_works_of_a_run() -> None:
    for work in ("one", "two"):
        asked("run", work, Minding())
    assert Minding.told == ["asked"]
    asked("other", "three", Minding())
    assert Minding.told == ["asked", "asked"]


def test_a_process_says_how_much_it_may_take() -> None:
    assert asked("run", "work", Rooms(), memory_manager=SimpleNamespace(memory_limit=123)).missing == ("room 123",)
    assert asked("run", "work", Rooms(), memory_manager=SimpleNamespace(memory_limit=None)).missing == ("room None",)


def test_a_work_that_is_over_is_forgotten_and_the_run_is_not() -> None:
    asked("run", "work", Minding())
    unregister_work("work")
    assert "work" not in enrolling._works
    asked("run", "more", Minding())
    assert Minding.told == ["asked"]


@pytest.mark.parametrize(("stop", "told"), [(True, "halt"), (False, "leave")])
def test_the_end_of_a_run_stops_what_is_under_way_only_if_it_ended_early(stop: bool, told: str) -> None:
    asked("run", "work", Minding())
    end_run("run", stop)
    assert Minding.told == ["asked", told]
    assert not enrolling._works


def test_another_run_in_the_same_process_goes_on() -> None:
    for run in ("run", "other"):
        asked(run, f"work of {run}", Minding())
    end_run("run", stop=True)
    assert Minding.told == ["asked", "asked"]
    assert set(enrolling._works) == {"work of other"}


def test_a_need_that_is_met_later_is_asked_again(tmp_path: Path) -> None:
    needs = Lacking(what=("the raster",), where=tmp_path)
    assert asked("run", "work", needs).missing
    assert asked("run", "work", Lacking(what=("the raster",), where=tmp_path / "no")).missing == ()
