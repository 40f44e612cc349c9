import importlib.util
import threading
import time

import psutil
import pytest

from pipeline.engines import KINDS
from pipeline.errors import ConfigError


class Work:
    """Counts how many items are worked on at once."""

    lock = threading.Lock()
    running = most = 0

    def __call__(self, item: int) -> int:
        with Work.lock:
            Work.running += 1
            Work.most = max(Work.most, Work.running)
        time.sleep(0.005)
        with Work.lock:
            Work.running -= 1
        if item == 666:
            raise KeyError("bad item")
        return item * item


@pytest.fixture(autouse=True)
def _nobody_works() -> None:
    Work.running = Work.most = 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_item_is_worked_on_once_and_never_more_at_a_time_than_allowed(kind: str) -> None:
    with KINDS[kind](3) as run:
        assert sorted(run(Work(), range(40))) == [k * k for k in range(40)]
    assert 1 <= Work.most <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_items_are_taken_as_they_are_needed(kind: str) -> None:
    taken: list[int] = []

    def items() -> object:
        for k in range(10_000):
            taken.append(k)
            yield k

    with KINDS[kind](2) as run:
        outcomes = run(Work(), items())
        for _ in range(5):
            next(outcomes)
        assert len(taken) <= 5 + 2 * 2 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_reaches_the_caller_as_it_is(kind: str) -> None:
    with pytest.raises(KeyError, match="bad item"), KINDS[kind](2) as run:
        list(run(Work(), [1, 666, 2]))


@pytest.mark.parametrize("kind", KINDS)
def test_no_items_are_no_work(kind: str) -> None:
    with KINDS[kind](2) as run:
        assert list(run(Work(), [])) == []


def test_a_dashboard_without_its_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"wholecloth\[dashboard\]"), KINDS["threads"](1, "127.0.0.1:0"):
        pass


def test_nothing_listens_beyond_this_machine() -> None:
    with KINDS["threads"](1) as run:
        list(run(abs, [1]))
        listening = [c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert set(listening) <= {"127.0.0.1", "::1"}
