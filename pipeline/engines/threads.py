"""Dask workers as threads of this process: reading, inference and writing of neighbouring blocks overlap."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from pipeline.engines.shifts import Shifts
from pipeline.errors import ConfigError
from pipeline.protocols import Engine

WINDOW = 2
"""Blocks handed out, and tasks that the scheduler knows of, per worker thread: enough that none waits, and never the whole job."""

NOWHERE = "127.0.0.1:0"
"""A free port that only this machine sees; without an address, Dask opens one to every network."""


@contextmanager
def engine(workers: int, dashboard: str | None = None) -> Iterator[Engine]:
    """A cluster inside this process, closed at the end.

    Parameters
    ----------
    workers
        Threads, each of which holds one block.
    dashboard
        Address of the scheduler's dashboard, such as ``127.0.0.1:8787``; None for none.

    Raises
    ------
    ConfigError
        A dashboard is asked for and its extra is not installed.
    """
    if dashboard is not None and importlib.util.find_spec("bokeh") is None:
        raise ConfigError(f"execution.dashboard is {dashboard}, which needs an extra. Install it with pip install 'wholecloth[dashboard]', or leave it out.")
    from distributed import Client

    with _cluster(workers, dashboard) as cluster, Client(cluster) as client:

        def run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            with Shifts(work) as shifts:
                yield from shifts.results(partial(client.submit, pure=False), items, WINDOW * workers)

        yield run


def _cluster(workers: int, dashboard: str | None) -> AbstractContextManager[Any]:
    """One worker beside the scheduler. LocalCluster would draw pictures in the worker, and import what draws them, wherever their library is installed."""
    from distributed import Scheduler, SpecCluster, Worker

    shown = dashboard is not None
    scheduler = {"protocol": "inproc://", "port": 0, "dashboard": shown, "dashboard_address": dashboard or NOWHERE}
    # a worker that shares our process would pause at 80 % of all of its memory
    worker = {"protocol": "inproc://", "nthreads": workers, "memory_limit": None, "dashboard": shown, "dashboard_address": NOWHERE}
    made: AbstractContextManager[Any] = SpecCluster(
        scheduler={"cls": Scheduler, "options": scheduler}, workers={0: {"cls": Worker, "options": worker}}, silence_logs=50
    )
    return made
