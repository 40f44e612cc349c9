"""What an engine is told of a job, and what its processes run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline.inference.block_task import BlockTask
from pipeline.inference.worker_check import WorkerRequirements
from pipeline.interfaces import EngineOptions
from pipeline.planning import workers
from pipeline.planning.describe import room
from pipeline.planning.job import Job
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of


def is_out_of_process(job: Job) -> bool:
    """Whether other processes than this one run the blocks."""
    return job.config.execution.facts.out_of_process


def engine_options(job: Job, notify: Callable[[str], None]) -> EngineOptions:
    """What the engine of a job is told.

    Parameters
    ----------
    job
        Of which something is left to be done.
    notify
        Told of workers that come, lack something, or go.
    """
    execution, work = job.config.execution, worker_task(job)
    return EngineOptions(
        dashboard=execution.dashboard,
        processes=job.plan.worker_layout.processes,
        threads=work.recipe.threads,
        in_torch=not work.on_arrays,
        gpus=workers.gpus(job.task.device, execution.device),
        patience=execution.patience,
        slurm=execution.slurm,
        address=execution.address,
        notify=notify,
        needs=WorkerRequirements.of(work, job.network.identity(), job.fingerprint, job.plan.per_process, room(job))
        if is_out_of_process(job)
        else None,
    )


def worker_task(job: Job) -> BlockTask:
    """The work of the processes that run blocks: each that has a GPU of this machine to itself sees no other."""
    backend = backend_of(job.task.device)
    return (
        replace(job.task, device=backend.first)
        if job.config.execution.facts.starts_processes and backend.numbered
        else job.task
    )


def peak_memory(job: Job, largest: int) -> int:
    """Most memory that the processes of one budget held at once, bytes, at most.

    As many as there are, each as large as the largest.
    """
    own_peak = resources.peak_resident()
    if not is_out_of_process(job) or not largest:
        return own_peak
    return job.plan.worker_layout.processes * largest + (own_peak if job.config.execution.facts.starts_processes else 0)
