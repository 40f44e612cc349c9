"""Dask workers as processes of this machine, started and ended with the run: one per GPU, or as many as asked for.

They listen on loopback only. One that dies is started again; all die with this process, however it ends.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from pipeline.engines.dask.cluster_settings import (
    LOOPBACK_ANY_PORT,
    SCHEDULER_OPTIONS,
    cluster_control,
    dashboard,
    dask_settings,
    worker_environment,
)
from pipeline.engines.dask.forking import forked
from pipeline.engines.dask.pool import pool_engine
from pipeline.interfaces import DEFAULT_OPTIONS, Engine, EngineOptions
from pipeline.runtime.backends import visible_environment

LOOPBACK = "127.0.0.1"
"""Nobody else need reach these workers."""
START_S = 120
"""Seconds that a process has to start; it ends at once where this one does."""
KILL_S = 0.2
"""Seconds that a worker has to end by itself where the run is stopped: what it has not committed is done again."""


@contextmanager
def engine(workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> Iterator[Engine]:
    """Worker processes, ended with the run.

    Parameters
    ----------
    workers
        Blocks in flight in each process.
    options
        Of these all but what concerns other clusters.

    Raises
    ------
    ConfigError
        A dashboard is asked for and its extra is not installed.
    """
    dashboard_options = dashboard(options)
    from distributed import Client

    with (
        _cluster(workers, options, dashboard_options) as cluster,
        Client(cluster, set_as_default=False) as client,
        _killed_on_error(cluster),
        pool_engine(client, options, cluster_control(cluster)) as run,
    ):
        yield run


@contextmanager
def _cluster(workers: int, options: EngineOptions, dashboard_options: dict[str, Any]) -> Iterator[Any]:
    from distributed import Nanny, Scheduler, SpecCluster

    scheduler = {"protocol": "tcp://", "host": LOOPBACK, "port": 0, **SCHEDULER_OPTIONS, **dashboard_options}
    specs = {
        k: {"cls": Nanny, "options": _options(k, workers, options, dashboard_options)} for k in range(options.processes)
    }
    with dask_settings(), sigint_blocked(), forked(worker_environment(options), in_torch=options.in_torch):
        cluster = SpecCluster(scheduler={"cls": Scheduler, "options": scheduler}, workers=specs, silence_logs=50)
    with dask_settings(), forked(worker_environment(options), in_torch=options.in_torch), cluster:
        yield cluster


def _options(number: int, workers: int, options: EngineOptions, dashboard_options: dict[str, Any]) -> dict[str, Any]:
    """What a worker is started with.

    The plan bounds its memory: Dask would make it pause for good at a share of what it keeps.
    """
    gpu: dict[str, str] = {}
    if options.gpus:
        gpu = visible_environment(options.gpus[number])
    return {
        "host": LOOPBACK,
        "protocol": "tcp://",
        "nthreads": workers,
        "memory_limit": None,
        "death_timeout": START_S,
        "silence_logs": 50,
        "env": {**worker_environment(options), **gpu},
        **dashboard_options,
        "dashboard_address": LOOPBACK_ANY_PORT,
    }


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Ctrl-C waits, and the threads and processes that are started here never hear it.

    This process ends them in its own way.
    """
    # which Python starts with the first process, and then lets that thread hear it again
    resource_tracker.ensure_running()
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


@contextmanager
def _killed_on_error(cluster: Any) -> Iterator[None]:
    """Whatever ends the run early also ends the workers, whatever they are at."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # closing the cluster tries again
            cluster.sync(_kill, list(cluster.workers.values()))
        raise


async def _kill(nannies: list[Any]) -> None:
    import asyncio

    await asyncio.gather(*(nanny.close(timeout=KILL_S) for nanny in nannies))
