from __future__ import annotations

import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from pipeline.engines.dask import worker_side as enrolling
from pipeline.engines.dask.cluster_of_threads import _cluster
from pipeline.engines.dask.cluster_settings import dashboard
from pipeline.engines.dask.connection import ItemDone, SchedulerConnection, WorkerEvent, WorkerReply, WorkersSeen
from pipeline.interfaces import EngineOptions
from tests.engines import works


@pytest.fixture
def client() -> Iterator[Any]:
    """Of a scheduler and a worker in this process."""
    from distributed import Client

    with _cluster(2, dashboard(EngineOptions())) as cluster, Client(cluster, set_as_default=False) as made:
        yield made
    enrolling._works.clear()
    enrolling._needs.clear()


def heard(said: SimpleQueue[WorkerEvent], kind: type[Any]) -> Any:
    """The next of a kind."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = said.get(timeout=20)
        if isinstance(found, kind):
            return found
    raise AssertionError(f"no {kind.__name__} is heard")


def link(client: Any, needs: Any = None) -> SchedulerConnection:
    return SchedulerConnection(client=client, run="run", needs=needs)


@pytest.mark.slow
def test_who_is_there_is_said_again_and_again(client: Any) -> None:
    with link(client).working(works.square) as said:
        first, second = heard(said, WorkersSeen), heard(said, WorkersSeen)
    assert first == second
    assert list(first.threads.values()) == [2]


def test_a_worker_that_is_asked_takes_the_work_and_items_come_back(client: Any) -> None:
    made = link(client)
    with made.working(works.square) as said:
        (address,) = heard(said, WorkersSeen).threads
        made.register_worker(address)
        assert heard(said, WorkerReply).report.missing == ()
        numbers = {made.submit(value, [address])[0]: value for value in range(4)}
        came = [heard(said, ItemDone) for _ in numbers]
    assert {one.number: one.value for one in came} == {number: value * value for number, value in numbers.items()}


def test_what_a_worker_lacks_comes_back(client: Any) -> None:
    made = link(client, works.Lacking(what=("a GPU",)))
    with made.working(works.square) as said:
        (address,) = heard(said, WorkersSeen).threads
        made.register_worker(address)
        answer = heard(said, WorkerReply)
    assert (answer.address, answer.report.missing) == (address, ("a GPU",))
    assert answer.report.host


def test_a_worker_that_went_away_does_not_answer(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*given: Any) -> Any:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:9")

    monkeypatch.setattr(SchedulerConnection, "_ran", gone)
    made = link(client)
    with made.working(works.square) as said:
        made.register_worker("tcp://127.0.0.1:9")
        assert heard(said, WorkerReply).report is None


def test_a_worker_that_was_not_asked_says_that_it_is_a_stranger(client: Any) -> None:
    made = link(client)
    with made.working(works.square) as said:
        (address,) = heard(said, WorkersSeen).threads
        made.submit(3, [address])
        came = heard(said, ItemDone)
    assert came.value == enrolling.UnknownWork(address)


def test_what_is_taken_back_is_lost_and_nobody_waits_for_it(client: Any) -> None:
    made = link(client)
    with made.working(works.square) as said:
        number, future = made.submit(3, ["inproc://nowhere/1/2"])
        made.cancel(future)
        came = heard(said, ItemDone)
    assert (came.number, came.cancelled) == (number, True)


def test_when_a_work_is_over_workers_forget_it_and_the_scheduler_too(client: Any) -> None:
    made = link(client)
    with made.working(works.square) as said:
        (address,) = heard(said, WorkersSeen).threads
        made.register_worker(address)
        heard(said, WorkerReply)
        made.submit(3, ["inproc://nowhere/1/2"])
    made.close(stop=False, wait=True)
    end = time.monotonic() + 10
    while (enrolling._works or client.cluster.scheduler.tasks) and time.monotonic() < end:
        time.sleep(0.05)
    assert not enrolling._works
    assert not client.cluster.scheduler.tasks


def test_a_connection_that_is_closed_is_gone(client: Any) -> None:
    made = link(client)
    assert not made.is_closed
    client.close()
    assert made.is_closed
    with made.working(works.square):
        pass
