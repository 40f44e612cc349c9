"""Dask workers as threads of this process: reading, inference and writing of neighbouring blocks overlap."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from pipeline.errors import ConfigError
from pipeline.protocols import Engine

WINDOW = 2
"""Futures that the scheduler knows of, per worker thread: enough that none waits, and never the whole job."""

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
    from distributed import Client, LocalCluster

    if dashboard is not None and importlib.util.find_spec("bokeh") is None:
        raise ConfigError(f"execution.dashboard is {dashboard}, which needs an extra. Install it with pip install 'wholecloth[dashboard]', or leave it out.")
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=workers,
        processes=False,
        memory_limit=None,  # a worker that shares our process would pause at 80 % of all of it
        worker_dashboard_address=NOWHERE,
        scheduler_kwargs={"dashboard": dashboard is not None, "dashboard_address": dashboard or NOWHERE},
        silence_logs=50,
    )
    with cluster, Client(cluster) as client:

        def run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            return _windowed(client, work, items, WINDOW * workers)

        yield run


def _windowed(client: Any, work: Callable[[Any], Any], items: Iterable[Any], window: int) -> Iterator[Any]:
    from distributed import as_completed

    queue = iter(items)
    running = as_completed([client.submit(work, item, pure=False) for item in islice(queue, window)])
    for future in running:
        yield future.result()
        for item in islice(queue, 1):
            running.add(client.submit(work, item, pure=False))
