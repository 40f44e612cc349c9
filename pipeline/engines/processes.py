"""Dask workers as processes of this machine, started and ended with the run: one per GPU, or as many as asked for.

They listen on loopback only. One that dies is started again; all die with this process, however it ends.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from pipeline.engines.dask.cluster_settings import SCHEDULING, environment, keeper, ours
from pipeline.engines.dask.dashboard import NOWHERE, dashboard
from pipeline.engines.dask.forking import forked
from pipeline.engines.dask.pool import crew
from pipeline.interfaces import PLAIN, Engine, Terms

HERE = "127.0.0.1"
"""Nobody else need reach these workers."""
START_S = 120
"""Seconds that a process has to start; it ends at once where this one does."""
KILL_S = 0.2
"""Seconds that a worker has to end by itself where the run is stopped: what it has not committed is done again."""


@contextmanager
def engine(workers: int, terms: Terms = PLAIN) -> Iterator[Engine]:
    """Worker processes, ended with the run.

    Parameters
    ----------
    workers
        Blocks in flight in each process.
    terms
        Of these all but what concerns other clusters.

    Raises
    ------
    ConfigError
        A dashboard is asked for and its extra is not installed.
    """
    shown = dashboard(terms)
    from distributed import Client

    with (
        _cluster(workers, terms, shown) as cluster,
        Client(cluster, set_as_default=False) as client,
        _stopped(cluster),
        crew(client, terms, keeper(cluster)) as run,
    ):
        yield run


@contextmanager
def _cluster(workers: int, terms: Terms, shown: dict[str, Any]) -> Iterator[Any]:
    from distributed import Nanny, Scheduler, SpecCluster

    scheduler = {"protocol": "tcp://", "host": HERE, "port": 0, **SCHEDULING, **shown}
    specs = {k: {"cls": Nanny, "options": _options(k, workers, terms, shown)} for k in range(terms.processes)}
    with ours(), unheard(), forked(environment(terms)):
        cluster = SpecCluster(scheduler={"cls": Scheduler, "options": scheduler}, workers=specs, silence_logs=50)
    with ours(), forked(environment(terms)), cluster:
        yield cluster


def _options(number: int, workers: int, terms: Terms, shown: dict[str, Any]) -> dict[str, Any]:
    """What a worker is started with. The plan bounds its memory: Dask would make it pause for good at a share of what it keeps."""
    gpu = {"CUDA_VISIBLE_DEVICES": terms.gpus[number]} if terms.gpus else {}
    return {
        "host": HERE, "protocol": "tcp://", "nthreads": workers, "memory_limit": None, "death_timeout": START_S, "silence_logs": 50,
        "env": {**environment(terms), **gpu}, **shown, "dashboard_address": NOWHERE,
    }  # fmt: skip


@contextmanager
def unheard() -> Iterator[None]:
    """Ctrl-C waits, and the threads and processes that are started here never hear it: this process ends them in its own way."""
    resource_tracker.ensure_running()  # which Python starts with the first process, and then lets that thread hear it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _stopped(cluster: Any) -> Iterator[None]:
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
