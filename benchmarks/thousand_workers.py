"""How much of many workers' time one dispatcher fills, in blocks that sleep.

``python -m benchmarks.thousand_workers [--workers 1000] [--seconds 5] [--rounds 6] [--processes 4]``

Real are the scheduler of ``distributed``, its client, connection and messages over TCP on loopback, and the dispatcher
of the engines ``slurm``, ``processes`` and ``address``; scheduler and dispatcher share one process, as for ``slurm``.
Simulated are the machines: PROCESSES processes hold all the workers, each of them a real ``distributed.Worker`` with
one thread and a connection of its own, and a block is a sleep. So network, start of processes, memory of the workers
and object storage are left out, and workers that share two cores answer later than workers that have their own.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import psutil
import typer

from benchmarks.scaling import table
from benchmarks.scaling.thought import layout
from pipeline.geometry.blocks import BlockIndex

QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "600s",
    "distributed.admin.tick.interval": "600s",
    "distributed.worker.memory.monitor-interval": "600s",
}
"""Settings of workers that share a process: no samples of what their threads do, and no looks at the machine."""
START_S = 300
"""Seconds that all workers have to come."""


@dataclass(frozen=True)
class Sleep:
    """The work of a block."""

    seconds: float

    def __call__(self, block: BlockIndex) -> tuple[float, float]:
        """When it began and ended, s since the epoch."""
        start = time.time()
        time.sleep(self.seconds)
        return start, time.time()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of the blocks."""

    spans: list[tuple[float, float]]
    """Of each block, s since the epoch."""
    began: float
    """When the dispatcher did, s since the epoch."""
    cpu_s: float
    """Of the process of scheduler and dispatcher."""
    growth: int
    """Of that process' resident memory, bytes."""

    def busy(self, workers: int) -> float:
        """Share of the workers' time in blocks while there were enough for all: between first end and last start."""
        first, last = min(end for _, end in self.spans), max(start for start, _ in self.spans)
        return sum(max(min(end, last) - max(start, first), 0) for start, end in self.spans) / workers / (last - first)


def main(
    workers: int = 1000,
    seconds: Annotated[float, typer.Option(help="Of a block.")] = 5.0,
    rounds: Annotated[int, typer.Option(help="Blocks per worker.")] = 6,
    processes: Annotated[int, typer.Option(help="That hold the workers.")] = 4,
    serve: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print a table; with ``serve``, be one of the processes."""
    if serve:
        asyncio.run(_serve(serve, workers))
        return
    head = ["workers", "block s", "blocks", "busy", "all at work after s", "CPU ms per block", "growth MiB"]
    with _cluster(workers, processes) as client:
        seen = measure(client, Sleep(seconds), workers * rounds)
        # before the end of so many workers, which takes long and may fail
        print(table(head, [row(seen, workers, seconds)]), flush=True)


def row(seen: Seen, workers: int, seconds: float) -> list[str]:
    """Of the table."""
    begun = sorted(start for start, _ in seen.spans)
    return [
        str(workers),
        f"{seconds:g}",
        f"{len(seen.spans):,}",
        f"{seen.busy(workers):.3f}",
        f"{begun[workers - 1] - seen.began:.1f}",
        f"{seen.cpu_s / len(seen.spans) * 1e3:.2f}",
        f"{seen.growth / 2**20:.0f}",
    ]


def measure(client: Any, work: Sleep, blocks: int) -> Seen:
    """So many blocks of a raster of 10⁶ × 10⁶ px through the workers of a client."""
    from pipeline.engines.dask.pool import pool_engine
    from pipeline.interfaces import EngineOptions

    began, cpu, memory = time.time(), _cpu_s(), psutil.Process().memory_info().rss
    with pool_engine(client, EngineOptions(notify=lambda line: None)) as run:
        spans = list(run(work, islice(layout().blocks(), blocks)))
        cpu, memory = _cpu_s() - cpu, psutil.Process().memory_info().rss - memory
    return Seen(spans=spans, began=began, cpu_s=cpu, growth=memory)


@contextmanager
def _cluster(workers: int, processes: int) -> Iterator[Any]:
    from distributed import Client, Scheduler, SpecCluster

    from pipeline.engines.dask.cluster_settings import SCHEDULER_OPTIONS, dashboard
    from pipeline.interfaces import EngineOptions

    options = {"protocol": "tcp://", "host": "127.0.0.1", "port": 0, **dashboard(EngineOptions()), **SCHEDULER_OPTIONS}
    with (
        tempfile.TemporaryDirectory() as scratch,
        SpecCluster(scheduler={"cls": Scheduler, "options": options}, workers={}, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        share = [workers // processes + (k < workers % processes) for k in range(processes)]
        command = [sys.executable, "-m", "benchmarks.thousand_workers", "--serve", cluster.scheduler_address]
        environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": scratch}
        servers = [subprocess.Popen([*command, "--workers", str(count)], env=environment) for count in share if count]
        try:
            client.wait_for_workers(workers, timeout=START_S)
            yield client
        finally:
            for server in servers:
                server.kill()
                server.wait()


async def _serve(address: str, count: int) -> None:
    """Workers that do not look at themselves: with hundreds in a process, that takes all of its time."""
    import dask
    from distributed import Worker

    from pipeline.engines.dask.cluster_settings import dashboard
    from pipeline.interfaces import EngineOptions

    options = {
        "nthreads": 1,
        "memory_limit": None,
        "host": "127.0.0.1",
        "silence_logs": 50,
        **dashboard(EngineOptions()),
    }
    with dask.config.set(QUIET):
        await asyncio.gather(*(Worker(address, **options) for _ in range(count)))
        await asyncio.Event().wait()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    typer.run(main)
