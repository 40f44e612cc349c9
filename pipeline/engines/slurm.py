"""Dask workers in jobs of SLURM, asked for with the run and ended with it, through dask-jobqueue.

The scheduler runs in this process, which must be reachable from the nodes. A job that ends early, at its walltime or by
``scancel``, is asked for again; the workers of a run whose command died end by themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.config import SlurmConfig, TlsConfig
from pipeline.engines.dask.cluster_settings import (
    SCHEDULER_OPTIONS,
    cluster_control,
    dashboard,
    dask_settings,
    worker_environment,
)
from pipeline.engines.dask.pool import pool_engine
from pipeline.errors import WorkerError
from pipeline.interfaces import DEFAULT_OPTIONS, Engine, EngineOptions
from pipeline.runtime.optional_imports import require

DEATH_S = 60
"""Seconds after which a worker that does not find its scheduler ends, and its job with it."""


@contextmanager
def engine(workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> Iterator[Engine]:
    """Workers in jobs, cancelled with the run.

    Parameters
    ----------
    workers
        Blocks in flight in each worker.
    options
        Of these what SLURM is asked for, the dashboard, and how long jobs are waited for.

    Raises
    ------
    ExtraError
        dask-jobqueue is not installed.
    WorkerError
        SLURM takes no job.
    """
    config = options.slurm
    assert config is not None, "the config is refused without"
    require("dask_jobqueue", "slurm", "execution.engine slurm")
    from distributed import Client

    with (
        dask_settings(),
        cluster(workers, options) as slurm_cluster,
        Client(slurm_cluster, security=security(config.tls), set_as_default=False) as client,
    ):
        slurm_cluster.sync(_submit_jobs, slurm_cluster, config.jobs)
        with pool_engine(client, options, cluster_control(slurm_cluster)) as run:
            yield run


def cluster(workers: int, engine_options: EngineOptions) -> Any:
    """A cluster that has asked for nothing yet; as a context it ends with all of its jobs."""
    from dask_jobqueue.slurm import SLURMCluster

    assert engine_options.slurm is not None, "the config is refused without"
    return SLURMCluster(
        **cluster_arguments(
            engine_options.slurm, workers, worker_environment(engine_options), dashboard(engine_options)
        )
    )


def cluster_arguments(
    config: SlurmConfig, workers: int, variables: dict[str, str], dashboard_options: dict[str, Any]
) -> dict[str, Any]:
    """Arguments of ``dask_jobqueue.SLURMCluster``.

    What the config leaves out is left to dask-jobqueue's own configuration.

    The plan bounds the memory of workers and SLURM that of jobs: Dask would make a worker pause for good at a share of
    what it keeps.
    """
    optional = {
        "queue": config.queue,
        "account": config.account,
        "walltime": config.walltime,
        "interface": config.interface,
        "python": config.python,
        "log_directory": str(config.logs) if config.logs else None,
        "local_directory": str(config.scratch) if config.scratch else None,
        "security": security(config.tls),
        "protocol": "tls://" if config.tls else None,
    }
    return {
        **{name: value for name, value in optional.items() if value is not None},
        "cores": config.cores,
        "memory": str(config.memory),
        "processes": config.processes,
        "death_timeout": DEATH_S,
        "job_extra_directives": list(config.directives),
        "job_script_prologue": [
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            *config.prologue,
        ],
        "worker_extra_args": [
            "--nthreads",
            str(workers),
            "--memory-limit",
            "0",
            "--no-dashboard",
            *config.worker_arguments,
        ],
        "scheduler_options": {**SCHEDULER_OPTIONS, **dashboard_options},
        "job_name": "wholecloth",
    }


def security(tls: TlsConfig | None) -> Any:
    """Certificates for all sides of a cluster, or None."""
    if tls is None:
        return None
    from distributed import Security

    ca, cert, key = str(tls.ca), str(tls.cert), str(tls.key)
    sides = {
        f"tls_{side}_{part}": path
        for side in ("client", "scheduler", "worker")
        for part, path in (("cert", cert), ("key", key))
    }
    return Security(tls_ca_file=ca, require_encryption=True, **sides)


async def _submit_jobs(slurm_cluster: Any, jobs: int) -> None:
    """Ask for the jobs, and hear whether SLURM takes them. Raises WorkerError."""
    from distributed.core import Status

    for _ in range(jobs):
        slurm_cluster.worker_spec.update(slurm_cluster.new_worker_spec())
    try:
        await slurm_cluster._correct_state()
    except (RuntimeError, OSError, ValueError) as error:
        for job in slurm_cluster.workers.values():
            if job.status == Status.created:
                job.status = Status.failed  # else closing the cluster takes it for one that still runs
        raise WorkerError(
            f"SLURM takes no job: {_sbatch_message(error)}. Mend execution.slurm, or run where sbatch works."
        ) from error


def _sbatch_message(error: Exception) -> str:
    """What sbatch said, of all that dask-jobqueue says about it."""
    text = str(error)
    message = text.partition("stderr:")[2] or text
    return " ".join(message.split()).removeprefix("sbatch: error: ").rstrip(".")
