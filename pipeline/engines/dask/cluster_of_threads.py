"""A cluster inside this process, whose dashboard shows what its threads do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from pipeline.engines.dask.cluster_settings import LOOPBACK_ANY_PORT, dashboard
from pipeline.engines.work_queue import WorkQueue
from pipeline.interfaces import Engine, EngineOptions


@contextmanager
def cluster_of_threads(workers: int, options: EngineOptions, window: int) -> Iterator[Engine]:
    """A scheduler and one worker, closed at the end.

    Parameters
    ----------
    workers
        Threads, each of which holds one block.
    options
        Of these its dashboard.
    window
        Blocks handed out, and tasks that the scheduler knows of, per thread.

    Raises
    ------
    ConfigError
        The extra of the dashboard is not installed.
    """
    dashboard_options = dashboard(options)
    from distributed import Client

    with _cluster(workers, dashboard_options) as cluster, Client(cluster, set_as_default=False) as client:

        def run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            with WorkQueue(work) as queue:
                yield from queue.results(partial(client.submit, pure=False), items, window * workers)

        yield run


def _cluster(workers: int, dashboard_options: dict[str, Any]) -> AbstractContextManager[Any]:
    """One worker beside the scheduler.

    LocalCluster would draw pictures in the worker, and import what draws them, wherever their library is installed.
    """
    from distributed import Scheduler, SpecCluster, Worker

    scheduler = {"protocol": "inproc://", "port": 0, **dashboard_options}
    # a worker that shares our process would pause at 80 % of all of its memory
    worker = {
        "protocol": "inproc://",
        "nthreads": workers,
        "memory_limit": None,
        **dashboard_options,
        "dashboard_address": LOOPBACK_ANY_PORT,
    }
    cluster: AbstractContextManager[Any] = SpecCluster(
        scheduler={"cls": Scheduler, "options": scheduler},
        workers={0: {"cls": Worker, "options": worker}},
        silence_logs=50,
    )
    return cluster
