import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.engines import work_queue
from pipeline.engines.work_queue import WorkQueue


class Pool:
    """Runs tasks on threads, and counts them."""

    def __init__(self, threads: int) -> None:
        self.pool, self.tasks = ThreadPoolExecutor(threads), 0

    def submit(self, work: Any, number: int) -> Future[Any]:
        self.tasks += 1
        return self.pool.submit(work, number)


def ran(pool: Pool, work: Any, items: Any, window: int = 4) -> list[Any]:
    with WorkQueue(work) as made:
        found = sorted(made.results(pool.submit, items, window))
    pool.pool.shutdown()
    return found


def test_many_short_items_are_few_tasks() -> None:
    pool = Pool(2)
    assert ran(pool, lambda k: k * k, range(2000)) == [k * k for k in range(2000)]
    assert pool.tasks < 200


def test_an_item_that_outlasts_a_shift_is_a_task_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "SHIFT_S", 0.0)
    pool = Pool(2)
    assert ran(pool, abs, range(100)) == list(range(100))
    assert pool.tasks >= 100


def test_no_more_tasks_and_items_are_on_their_way_than_the_window_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "SHIFT_S", 0.001)
    pool, tasks, ahead = Pool(2), [], []
    taken: list[int] = []

    with WorkQueue(abs) as made:
        for done, _ in enumerate(made.results(pool.submit, (taken.append(k) or k for k in range(500)), 4), start=1):
            tasks.append(len(made.tasks))
            ahead.append(len(taken) - done)
    pool.pool.shutdown()
    assert max(tasks) <= 4
    assert max(ahead) <= 4


def test_items_that_nobody_began_are_not_begun_once_the_run_is_over() -> None:
    begun, go_on, pool = [], threading.Event(), Pool(1)

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            go_on.wait(10)
        return item

    with WorkQueue(work) as made:
        assert next(made.results(pool.submit, range(10), 4)) == 0
    go_on.set()
    pool.pool.shutdown()
    assert set(begun) <= {0, 1}


def test_a_task_that_cannot_run_is_told_instead_of_being_waited_for() -> None:
    def refused(work: Any, number: int) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(OSError("no worker"))
        return future

    with pytest.raises(OSError, match="no worker"), WorkQueue(abs) as made:
        list(made.results(refused, [1, 2], 4))


def test_a_task_of_a_run_that_is_over_does_nothing() -> None:
    with WorkQueue(abs) as made:
        number = made.number
    work_queue.run_queue_task(number)
    assert made.events.empty()
