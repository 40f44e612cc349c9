"""What schedulers of ours are set to, where their dashboard is, and what we do for their workers."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.engines.dask.worker_registry import ClusterControl
from pipeline.errors import ConfigError
from pipeline.interfaces import EngineOptions
from pipeline.runtime.open_files import raise_open_files_limit

TTL_S = 60
"""Seconds without a sign of life after which a worker counts as dead."""
SCHEDULER_OPTIONS = {"allowed_failures": 0, "worker_ttl": TTL_S}
"""Deaths are counted where items are handed out: the scheduler blames all that a worker had, and knows of no trial
alone."""
DASK_ENV_TO_CLEAR = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What Dask sets in the environment of a process that starts workers, and so in this one; what workers have of it is
decided here."""
INHERITED_VARIABLES = ("GLIBC_TUNABLES", "OMP_WAIT_POLICY", "WHOLECLOTH_CACHE")
"""Variables of this process that workers must have as well."""


def worker_environment(options: EngineOptions) -> dict[str, str]:
    """Variables that change how a worker computes, from its first moment on: a batch system may pass on none."""
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    return inherited | ({"OMP_NUM_THREADS": str(options.threads)} if options.threads else {})


@contextmanager
def dask_settings() -> Iterator[None]:
    """Workers take over the environment of this process, and nothing else; the scheduler may hold many files."""
    import dask
    import distributed  # noqa: F401  # which brings the settings

    raise_open_files_limit()
    with dask.config.set(
        {
            "distributed.nanny.pre-spawn-environ": dict.fromkeys(DASK_ENV_TO_CLEAR),
            "distributed.deploy.lost-worker-timeout": f"{TTL_S}s",
        }
    ):
        yield


def cluster_control(cluster: Any) -> ClusterControl:
    """Starts workers of a cluster anew, and sends them away.

    Dask does the first for jobs of one worker only, and only where it is asked again for as many as there were.
    """
    last_seen: dict[Any, float] = {}

    async def start_missing() -> None:
        now, there = time.monotonic(), {str(worker.name) for worker in cluster.scheduler.workers.values()}
        for job, spec in list(cluster.worker_spec.items()):
            if {f"{job}{suffix}" for suffix in spec.get("group", [""])} & there:
                last_seen[job] = now
            elif job in cluster.workers and now - last_seen.get(job, now) > TTL_S:
                del last_seen[job]
                await cluster.workers.pop(job).close()
        if len(cluster.workers) < len(cluster.worker_spec):
            await cluster._correct_state()

    async def stop_worker(name: str) -> None:
        known = {str(key): key for key in cluster.plan}
        if name in known:
            await cluster.scale_down([known[name]])

    return ClusterControl(
        start_missing=lambda: cluster.loop.add_callback(start_missing),
        stop_worker=lambda name: cluster.loop.add_callback(stop_worker, name),
    )


LOOPBACK_ANY_PORT = "127.0.0.1:0"
"""A free port that only this machine sees; without an address, Dask opens one to every network."""


def dashboard(options: EngineOptions) -> dict[str, Any]:
    """What a scheduler is told of its dashboard.

    Raises
    ------
    ConfigError
        One is asked for and its extra is not installed.
    """
    address = options.dashboard
    if address is not None and importlib.util.find_spec("bokeh") is None:
        raise ConfigError(
            f"execution.dashboard is {address}, which needs an extra. Install it with pip install "
            f"'wholecloth[dashboard]', or leave it out."
        )
    return {"dashboard": address is not None, "dashboard_address": address or LOOPBACK_ANY_PORT}
