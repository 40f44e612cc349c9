"""Which processes run the blocks, with how many threads, and what they may take.

Decided from the engine and the machine.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import Config, ExecutionConfig, ModelConfig, SlurmConfig, parse_bytes
from pipeline.errors import ConfigError
from pipeline.interfaces import Device
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.planning.types import ONE_PROCESS, WorkerLayout
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of
from pipeline.runtime.memory_constants import FORK_SERVER_BYTES, JOB_MEMORY_SHARE, NANNY_BYTES, SCHEDULER_GROWTH

USER_CODE_KINDS = ("python", "smp", "transformers", "classifier")
"""Kinds of networks whose code is not ours, and may hold something between calls."""


def processes(execution: ExecutionConfig, device: Device) -> int:
    """Processes of engine ``processes``: as many as asked for; else one per GPU, or one on the CPU.

    Raises
    ------
    ConfigError
        More are asked for than there are GPUs.
    """
    requested = execution.processes
    if not backend_of(device).numbered:
        return 1 if requested == "auto" else requested
    gpu_count = len(gpus(device, execution.device))
    if requested != "auto" and requested > gpu_count:
        raise ConfigError(
            f"execution.processes is {requested}, but {gpu_count} GPUs may be used here, and each takes one "
            f"process. Give at most {gpu_count}, or auto."
        )
    return gpu_count if requested == "auto" else requested


def gpus(device: Device | str, asked: str) -> tuple[str, ...]:
    """What the driver calls the GPUs that a job may use, in order.

    The one that its config names, or all that this process sees; none for the CPU.
    """
    available = backend_of(device).visible()
    number = asked.partition(":")[2]
    index = int(number) if number else None
    return available if index is None or not available else (available[index],)


def worker_layout(config: Config, device: Device) -> WorkerLayout:
    """The processes that share the budget of `budget`, each with a device such as the one here."""
    return replace(_layout_of_engine(config, device), device=device_room(device))


def device_room(device: Device) -> int | None:
    """Bytes that tensors may take of a device with memory of its own; None of the CPU.

    Of all of its memory: what others hold of it comes and goes, while tiles are decided once.
    """
    memory = backend_of(device).memory(device)
    return None if memory is None else int(memory.total * resources.MEMORY_SHARE)


def _layout_of_engine(config: Config, device: Device) -> WorkerLayout:
    execution = config.execution
    if execution.facts.starts_processes:
        count = processes(execution, device)
        return WorkerLayout(
            processes=count,
            launcher_bytes=resources.resident() + SCHEDULER_GROWTH + FORK_SERVER_BYTES,
            single_process=count == 1,
        )
    if execution.facts.workers == "job":
        return WorkerLayout(processes=slurm(execution).processes, launcher_bytes=NANNY_BYTES, single_process=False)
    return WorkerLayout(single_process=False) if execution.facts.workers == "scheduler" else ONE_PROCESS


def budget(config: Config) -> int:
    """Bytes that may be taken on one machine, in one job of a cluster, or by one worker of a scheduler."""
    execution = config.execution
    if execution.memory != "auto":
        return parse_bytes(execution.memory)
    if execution.facts.workers == "job":
        return int(parse_bytes(slurm(execution).memory) * JOB_MEMORY_SHARE)
    return resources.default_budget()


def threads_per_process(config: Config, device: Device) -> int:
    """Threads with which one process computes: its share of the cores."""
    execution = config.execution
    if execution.facts.workers == "job":
        return slurm(execution).cores // slurm(execution).processes
    if (
        execution.facts.workers == "scheduler"
        and execution.address is not None
        and execution.address.threads is not None
    ):
        return execution.address.threads
    count = processes(execution, device) if execution.facts.starts_processes else 1
    return max(1, resources.cores() // count)


def streams(config: Config, device: Device, runtime: str = "torch") -> tuple[int, ...]:
    """Tiles that each process may compute at once: as many as asked for.

    Else one, and whatever shares its cores evenly where that is safe and pays.

    Safe is what holds nothing between calls: code of others may. A GPU computes one at a time, and so do runtimes that
    are not made for several threads.

    Raises
    ------
    ConfigError
        Several are asked for where only one can be.
    """
    execution, cores, backend = config.execution, threads_per_process(config, device), backend_of(device)
    maximum = cores if execution.workers == "auto" else min(cores, execution.workers)
    obstacle = (
        backend.noun
        if backend.batched
        else RUNTIMES[runtime].noun
        if RUNTIMES[runtime].single
        else f"engine {execution.engine}"
        if execution.facts.sequential
        else None
    )
    if execution.streams != "auto":
        if obstacle and execution.streams > 1:
            raise ConfigError(
                f"execution.streams is {execution.streams}, but {obstacle} computes one tile at a time. "
                f"Give 1, or auto."
            )
        return (execution.streams,)
    suits = obstacle is None and not _runs_user_code(config.model) and execution.facts.local
    return tuple(count for count in range(maximum, 0, -1) if cores % count == 0) if suits else (1,)


def _runs_user_code(model: ModelConfig) -> bool:
    models = [member.model for member in model.members] or [model]
    return any(one.kind in USER_CODE_KINDS for one in models)


def slurm(execution: ExecutionConfig) -> SlurmConfig:
    """What a config says of the jobs of a batch system, in the section that bears the engine's name."""
    section: SlurmConfig | None = getattr(execution, execution.engine)
    assert section is not None, "the config is refused without"
    return section
