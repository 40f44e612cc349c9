"""Dask workers in jobs of SLURM, asked for with the run and ended with it, through dask-jobqueue.

The scheduler runs in this process, which must be reachable from the nodes. A job that ends early, at its walltime or by ``scancel``, is
asked for again; the workers of a run whose command died end by themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.config import SlurmConfig, TlsConfig
from pipeline.engines.dask.cluster_settings import SCHEDULING, environment, keeper, ours
from pipeline.engines.dask.dashboard import dashboard
from pipeline.engines.dask.pool import crew
from pipeline.errors import WorkerError
from pipeline.interfaces import PLAIN, Engine, Terms
from pipeline.runtime.optional_imports import need

DEATH_S = 60
"""Seconds after which a worker that does not find its scheduler ends, and its job with it."""


@contextmanager
def engine(workers: int, terms: Terms = PLAIN) -> Iterator[Engine]:
    """Workers in jobs, cancelled with the run.

    Parameters
    ----------
    workers
        Blocks in flight in each worker.
    terms
        Of these what SLURM is asked for, the dashboard, and how long jobs are waited for.

    Raises
    ------
    ExtraError
        dask-jobqueue is not installed.
    WorkerError
        SLURM takes no job.
    """
    asked = terms.slurm
    assert asked is not None, "the config is refused without"
    need("dask_jobqueue", "slurm", "execution.engine slurm")
    from distributed import Client

    with ours(), cluster(workers, terms) as made, Client(made, security=security(asked.tls), set_as_default=False) as client:
        made.sync(_submitted, made, asked.jobs)
        with crew(client, terms, keeper(made)) as run:
            yield run


def cluster(workers: int, terms: Terms) -> Any:
    """A cluster that has asked for nothing yet; as a context it ends with all of its jobs."""
    from dask_jobqueue.slurm import SLURMCluster

    assert terms.slurm is not None, "the config is refused without"
    return SLURMCluster(**options(terms.slurm, workers, environment(terms), dashboard(terms)))


def options(asked: SlurmConfig, workers: int, variables: dict[str, str], shown: dict[str, Any]) -> dict[str, Any]:
    """Arguments of ``dask_jobqueue.SLURMCluster``; what the config leaves out is left to dask-jobqueue's own configuration.

    The plan bounds the memory of workers and SLURM that of jobs: Dask would make a worker pause for good at a share of what it keeps.
    """
    given = {
        "queue": asked.queue, "account": asked.account, "walltime": asked.walltime, "interface": asked.interface, "python": asked.python,
        "log_directory": str(asked.logs) if asked.logs else None, "local_directory": str(asked.scratch) if asked.scratch else None,
        "security": security(asked.tls), "protocol": "tls://" if asked.tls else None,
    }  # fmt: skip
    return {
        **{name: value for name, value in given.items() if value is not None},
        "cores": asked.cores,
        "memory": str(asked.memory),
        "processes": asked.processes,
        "death_timeout": DEATH_S,
        "job_extra_directives": list(asked.directives),
        "job_script_prologue": [*(f"export {name}={shlex.quote(value)}" for name, value in variables.items()), *asked.prologue],
        "worker_extra_args": ["--nthreads", str(workers), "--memory-limit", "0", "--no-dashboard", *asked.worker_arguments],
        "scheduler_options": {**SCHEDULING, **shown},
        "job_name": "wholecloth",
    }


def security(tls: TlsConfig | None) -> Any:
    """Certificates for all sides of a cluster, or None."""
    if tls is None:
        return None
    from distributed import Security

    ca, cert, key = str(tls.ca), str(tls.cert), str(tls.key)
    sides = {f"tls_{side}_{what}": path for side in ("client", "scheduler", "worker") for what, path in (("cert", cert), ("key", key))}
    return Security(tls_ca_file=ca, require_encryption=True, **sides)


async def _submitted(made: Any, jobs: int) -> None:
    """Ask for the jobs, and hear whether SLURM takes them. Raises WorkerError."""
    from distributed.core import Status

    for _ in range(jobs):
        made.worker_spec.update(made.new_worker_spec())
    try:
        await made._correct_state()
    except (RuntimeError, OSError, ValueError) as error:
        for job in made.workers.values():
            if job.status == Status.created:
                job.status = Status.failed  # else closing the cluster takes it for one that still runs
        raise WorkerError(f"SLURM takes no job: {_why(error)}. Mend execution.slurm, or run where sbatch works.") from error


def _why(error: Exception) -> str:
    """What sbatch said, of all that dask-jobqueue says about it."""
    said = str(error)
    words = said.partition("stderr:")[2] or said
    return " ".join(words.split()).removeprefix("sbatch: error: ").rstrip(".")
