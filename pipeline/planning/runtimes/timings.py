"""Seconds of a job's network in each runtime, for a person: no decision is made from these."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from pipeline.errors import InputError
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.planning.job import Job
from pipeline.planning.runtimes.admission import first_shape
from pipeline.runtime.device import fixed_numerics, run_on_device_thread

TIMED_SIDE = 512
"""Side of the image that is timed, px."""
ROUNDS = 3
"""Passes of each runtime, in turn; the least of them counts."""


def runtime_rows(job: Job) -> list[tuple[str, str]]:
    """Rows of ``plan --measure-runtimes``.

    Parameters
    ----------
    job
        Prepared.
    """
    return run_on_device_thread(lambda: list(_rows(job)))


def _rows(job: Job) -> Iterator[tuple[str, str]]:
    assert isinstance(job.network, Loaded), "jobs are prepared with a loaded network"
    network, device = job.network, torch.device(job.task.device)
    shape = first_shape(network, job.locality)
    side = _side(job, shape)
    image = torch.randn((*shape[:2], side, side), device=device).contiguous(memory_format=torch.channels_last)
    networks: dict[str, Loaded] = {}
    with fixed_numerics("float32", job.task.recipe.threads, device):
        for name, runtime in KINDS.items():
            obstacle = runtime.obstacle(network, device)
            if obstacle is not None:
                yield "runtimes", f"{name}: {obstacle}"
                continue
            try:
                networks[name] = runtime.run(network, shape)
                networks[name](image)
            except Exception as error:  # whatever compilers and runtimes raise
                networks.pop(name, None)
                reason = str(error) if isinstance(error, InputError) else type(error).__name__
                yield "runtimes", f"{name}: it fails on this network ({reason})"
        rounds = [{name: _seconds(other, image) for name, other in networks.items()} for _ in range(ROUNDS)]
    for name in networks:
        wall, cpu = (min(times[name][k] for times in rounds) for k in range(2))
        yield "runtimes", f"{name}: {wall:.3f} s for {side} × {side} px, {cpu:.3f} CPU seconds"


def _side(job: Job, shape: tuple[int, ...]) -> int:
    """A size that the network takes, no larger than a tile, px."""
    multiple = job.plan.tiles.multiple
    largest = min(job.plan.tiles.size, job.network.accepts.maximum or TIMED_SIDE, TIMED_SIDE)
    return max(largest // multiple * multiple, *shape[2:])


def _seconds(network: Loaded, image: torch.Tensor) -> tuple[float, float]:
    """Of the wall and of all threads, for one pass."""
    wall, cpu = time.perf_counter(), time.process_time()
    network(image)
    return time.perf_counter() - wall, time.process_time() - cpu
