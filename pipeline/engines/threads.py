"""Threads of this process under Dask's own scheduler: reading, inference and writing of neighbouring blocks overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import Any

from pipeline.engines.work_queue import QueueEvent, WorkQueue
from pipeline.interfaces import DEFAULT_OPTIONS, Engine, EngineOptions

WINDOW = 2
"""Blocks handed out per thread: enough that none waits, and never the whole job."""

THREAD_NAME = "blocks"


@contextmanager
def engine(workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> Iterator[Engine]:
    """Threads that are there while blocks are.

    A dashboard needs a cluster; without one nothing of a cluster is imported or started, which takes 0.5 CPU seconds.

    Parameters
    ----------
    workers
        Threads, each of which holds one block.
    options
        Of these its dashboard.

    Raises
    ------
    ConfigError
        A dashboard is asked for and its extra is not installed.
    """
    if options.dashboard is None:
        yield partial(_run, workers)
        return
    from pipeline.engines.dask.cluster_of_threads import cluster_of_threads

    with cluster_of_threads(workers, options, WINDOW) as run:
        yield run


def _run(workers: int, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    with WorkQueue(work) as queue, _scheduled(queue, workers):
        yield from queue.results(None, items, WINDOW * workers)


@contextmanager
def _scheduled(queue: WorkQueue, workers: int) -> Iterator[None]:
    """Let Dask's local scheduler run one task per thread, each of which takes block after block.

    A graph of all blocks would take memory for each of them. A run that is left early waits for no block: one may hang.
    """
    scheduler = Thread(target=_schedule, args=(queue, workers), name=f"{THREAD_NAME}-scheduler", daemon=True)
    scheduler.start()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        queue.close(workers)
        if is_done:
            scheduler.join()


def _schedule(queue: WorkQueue, workers: int) -> None:
    """Run the tasks to their end; a scheduler that cannot says so to whoever waits for results."""
    from dask.threaded import get

    graph = {f"{THREAD_NAME}-{k}": (queue.run_all_items,) for k in range(workers)}
    try:
        with ThreadPoolExecutor(workers, THREAD_NAME) as pool:
            get(graph, list(graph), pool=pool)
    except BaseException as error:
        queue.events.put(QueueEvent(error=error))
