"""What an engine is told of a job, and what its processes run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pipeline.engines import APART
from pipeline.inference.block_task import BlockTask
from pipeline.inference.worker_check import Needs
from pipeline.interfaces import Terms
from pipeline.planning import workers
from pipeline.planning.describe import room
from pipeline.planning.job import Job
from pipeline.runtime import resources


def apart(job: Job) -> bool:
    """Whether other processes than this one run the blocks."""
    return job.config.execution.engine in APART


def terms(job: Job, tell: Callable[[str], None]) -> Terms:
    """What the engine of a job is told.

    Parameters
    ----------
    job
        Of which something is left to be done.
    tell
        Told of workers that come, lack something, or go.
    """
    execution, work = job.config.execution, task(job)
    return Terms(
        dashboard=execution.dashboard, processes=job.plan.hands.processes, threads=work.recipe.threads,
        gpus=workers.gpus(torch.device(job.task.device), execution.device), patience=execution.patience, slurm=execution.slurm,
        address=execution.address, tell=tell,
        needs=Needs.of(work, job.network.identity(), job.fingerprint, job.plan.each, room(job)) if apart(job) else None,
    )  # fmt: skip


def task(job: Job) -> BlockTask:
    """The work of the processes that run blocks: each that has a GPU of this machine to itself sees no other."""
    alone = job.config.execution.engine == "processes" and job.task.device.startswith("cuda")
    return replace(job.task, device="cuda:0") if alone else job.task


def peak(job: Job, largest: int) -> int:
    """Most memory that the processes of one budget held at once, bytes, at most: as many as there are, each as large as the largest."""
    here = resources.peak_resident()
    if not apart(job) or not largest:
        return here
    return job.plan.hands.processes * largest + (here if job.config.execution.engine == "processes" else 0)
