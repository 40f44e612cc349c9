"""The hand-out by itself, with a connection that does as it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest

from pipeline.engines.dask.connection import ItemDone, WorkerEvent, WorkerReply, WorkersSeen
from pipeline.engines.dask.pool import ITEMS_PER_THREAD, Dispatcher
from pipeline.engines.dask.retry_queue import RetryQueue
from pipeline.engines.dask.teams import TEAM_SIZE
from pipeline.engines.dask.worker_registry import WorkerRegistry
from pipeline.engines.dask.worker_side import UnknownWork, WorkerReport
from pipeline.errors import BlocksFailed, Unfinished
from pipeline.interfaces import EngineOptions
from pipeline.runtime.cancellation import CANCELLED
from tests.engines.works import Lethal, square


class Lane:
    """A connection: workers are there as they are said to be, and answer items when they are told to."""

    is_silent = is_closed = False

    def __init__(self, **there: int) -> None:
        self.said: SimpleQueue[WorkerEvent] = SimpleQueue()
        self.there = there
        self.asked: list[str] = []
        self.given: dict[int, tuple[Any, frozenset[str]]] = {}
        self.cancelled: list[int] = []
        self.taken = 0

    @contextmanager
    def working(self, work: Any) -> Iterator[Any]:
        self.roll(**self.there)
        yield self.said

    def roll(self, **there: int) -> None:
        self.there = there
        self.said.put(WorkersSeen(threads=there))

    def register_worker(self, address: str) -> None:
        self.asked.append(address)
        self.said.put(WorkerReply(address=address, report=WorkerReport(host="host", name=address, missing=())))

    def submit(self, value: Any, addresses: list[str]) -> tuple[int, int]:
        self.given[self.taken] = value, frozenset(addresses)
        self.taken += 1
        return self.taken - 1, self.taken - 1

    def cancel(self, future: int) -> None:
        self.cancelled.append(future)
        self.given.pop(future, None)

    def answer(self, number: int, **how: Any) -> None:
        value, _ = self.given.pop(number)
        self.said.put(ItemDone(number=number, **({"value": value * value} | how)))


def shift(lane: Lane, items: Any, work: Any = square) -> Dispatcher:
    return Dispatcher(
        connection=lane,
        registry=WorkerRegistry(options=EngineOptions(notify=lambda line: None), control=None),
        work=work,
        queue=RetryQueue(items),
    )


class Auto(Lane):
    """Answers at once, unless told what to do with a number."""

    def __init__(self, how: dict[int, Any] | None = None, **there: int) -> None:
        super().__init__(**there)
        self.how, self.most = how or {}, 0

    def submit(self, value: Any, addresses: list[str]) -> tuple[int, int]:
        number, future = super().submit(value, addresses)
        self.most = max(self.most, len(self.given))
        how = self.how.get(number, {})
        if callable(how):
            how(number)
        else:
            self.answer(number, **how)
        return number, future


def test_every_item_is_given_out_once_to_those_who_are_there() -> None:
    lane = Auto(a=2, b=1)
    assert sorted(shift(lane, range(50)).results()) == [k * k for k in range(50)]
    assert lane.taken == 50
    assert sorted(lane.asked) == ["a", "b"]
    assert not lane.given


def test_no_more_is_out_than_there_are_hands_for() -> None:
    lane = Lane(a=2, b=1)
    results = shift(lane, iter(range(1000))).results()
    held: list[int] = []
    lane_submit = lane.submit

    def submit(value: Any, addresses: list[str]) -> tuple[int, int]:
        number, future = lane_submit(value, addresses)
        held.append(len(lane.given))
        if len(lane.given) == ITEMS_PER_THREAD * 3:
            lane.answer(next(iter(lane.given)))
        return number, future

    lane.submit = submit  # type: ignore[method-assign]
    for _ in range(20):
        next(results)
    assert max(held) == ITEMS_PER_THREAD * 3


def test_without_items_nobody_is_waited_for() -> None:
    lane = Lane()
    assert list(shift(lane, []).results()) == []
    assert lane.asked == []


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    lane = Auto({3: {"error": KeyError("bad item")}}, a=1)
    with pytest.raises(KeyError, match="bad item"):
        list(shift(lane, range(10)).results())


def test_what_a_worker_died_with_is_given_out_again() -> None:
    lane = Auto({1: {"deaths": 1}, 2: {"deaths": 1}}, a=2)
    assert sorted(shift(lane, range(6)).results()) == [k * k for k in range(6)]
    assert lane.taken == 8


def test_what_the_connection_lost_is_given_out_again_without_blame() -> None:
    lane = Auto({number: {"cancelled": True} for number in range(5)}, a=1)
    assert sorted(shift(lane, range(6)).results()) == [k * k for k in range(6)]


def test_a_worker_that_does_not_know_the_work_is_asked_again() -> None:
    lane = Auto({}, a=1)
    lane.how = {0: lambda number: (lane.answer(number, value=UnknownWork("a")), lane.roll(a=1))}
    assert sorted(shift(lane, range(4)).results()) == [k * k for k in range(4)]
    assert lane.asked == ["a", "a"]


def test_an_item_whose_workers_are_all_gone_is_given_to_those_who_came() -> None:
    lane = Auto({}, a=1)
    lane.how = {0: lambda number: lane.roll(b=1)}
    assert sorted(shift(lane, range(4)).results()) == [k * k for k in range(4)]
    assert 0 in lane.cancelled


def test_a_result_that_comes_after_its_item_was_given_to_others_is_passed_over() -> None:
    lane = Auto({}, a=1)

    def gone(number: int) -> None:
        value = lane.given[number][0]
        lane.roll(b=1)
        lane.said.put(ItemDone(number=number, value=value * value))

    lane.how = {0: gone}
    assert sorted(shift(lane, range(4)).results()) == [k * k for k in range(4)]


def test_an_item_that_every_worker_dies_of_fails_alone_and_the_others_are_done() -> None:
    lane = Auto({}, a=4)

    def kills(number: int) -> None:
        value = lane.given[number][0]
        lane.answer(number, **({"deaths": 1} if value == 2 else {"value": value}))

    lane.how = dict.fromkeys(range(100), kills)
    found = list(shift(lane, range(6), Lethal(items=(2,))).results())
    assert sorted(result for result in found if isinstance(result, int)) == [0, 1, 3, 4, 5]
    (failed,) = [result for result in found if isinstance(result, tuple)]
    assert failed[0] == 2
    assert "died all of the 3 times" in failed[1]


def test_a_work_without_a_word_for_it_fails_the_run_by_name() -> None:
    lane = Auto({number: {"deaths": 1} for number in range(100)}, a=1)
    with pytest.raises(BlocksFailed, match="7 failed: the worker's process died"):
        list(shift(lane, [7]).results())


def test_a_worker_that_died_with_an_item_is_given_nothing_more() -> None:
    lane = Auto({}, a=1)

    def dies(number: int) -> None:
        lane.answer(number, deaths=1, address="a")
        lane.how = {number: (lambda number: lane.roll(b=1)) for number in range(1, 9)}

    lane.how = {0: dies}
    made = shift(lane, range(3))
    lane.roll(a=1)
    given = _addresses(lane)
    assert sorted(made.results()) == [0, 1, 4]
    assert given[:ITEMS_PER_THREAD] == [{"a"}] * ITEMS_PER_THREAD
    assert all(addresses == {"b"} for addresses in given[ITEMS_PER_THREAD:])


def _addresses(lane: Lane) -> list[set[str]]:
    """Whom each item is given to, as it is."""
    seen: list[set[str]] = []
    submit = lane.submit

    def noted(value: Any, addresses: list[str]) -> tuple[int, int]:
        seen.append(set(addresses))
        if addresses == ["b"]:
            lane.how = {}
        return submit(value, addresses)

    lane.submit = noted  # type: ignore[method-assign]
    return seen


def test_a_run_that_was_asked_to_stop_does_not_wait_for_items_that_never_come_back() -> None:
    """The signal's own exception is lost where Python runs a finaliser just then."""
    results = shift(Lane(a=1), range(10)).results()
    CANCELLED.set()
    with pytest.raises(Unfinished, match="asked to stop"):
        next(results)


def test_of_very_many_workers_a_few_may_have_an_item_and_all_have_their_share() -> None:
    lane = Lane(**{f"w{k}": 1 for k in range(1000)})
    results = shift(lane, iter(range(10**6))).results()
    lane.submit = answering(lane, after=ITEMS_PER_THREAD * 1000)  # type: ignore[method-assign]
    for _ in range(100):
        next(results)
    addresses = [addresses for _, addresses in lane.given.values()]
    assert max(map(len, addresses)) <= TEAM_SIZE
    assert len(frozenset().union(*addresses)) == 1000
    assert len(lane.given) <= ITEMS_PER_THREAD * 1000
    assert lane.taken <= ITEMS_PER_THREAD * 1000 + 100


def test_workers_that_come_later_take_their_share_of_what_is_next() -> None:
    lane = Lane(**{f"w{k}": 1 for k in range(40)})
    results = shift(lane, iter(range(10**6))).results()
    lane.submit = answering(lane, after=ITEMS_PER_THREAD * 40)  # type: ignore[method-assign]
    next(results)
    lane.submit = answering(lane, after=ITEMS_PER_THREAD * 80)  # type: ignore[method-assign]
    lane.roll(**{f"w{k}": 1 for k in range(80)})
    for _ in range(300):
        next(results)
    assert len(lane.given) == ITEMS_PER_THREAD * 80 - 1
    assert len(frozenset().union(*(addresses for _, addresses in lane.given.values()))) == 80


def answering(lane: Lane, after: int) -> Any:
    """Submit as the lane does; once so many are out, the oldest of them comes back."""

    def submit(value: Any, addresses: list[str]) -> tuple[int, int]:
        number, future = Lane.submit(lane, value, addresses)
        if len(lane.given) == after:
            lane.answer(next(iter(lane.given)))
        return number, future

    return submit
