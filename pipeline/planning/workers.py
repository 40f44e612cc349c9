"""Which processes run the blocks, with how many threads, and what they may take: decided from the engine and the machine."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from pipeline.config import Config, ExecutionConfig, SlurmConfig, parse_bytes
from pipeline.errors import ConfigError
from pipeline.planning.types import HERE, Hands
from pipeline.runtime import resources
from pipeline.runtime.resources import MIB

NANNY = 192 * MIB
"""Bytes of the process that starts the workers of a job of SLURM, and starts them again."""
SCHEDULING = 64 * MIB
"""Bytes that the process which hands out blocks grows by."""
FORK_SERVER = 320 * MIB
"""Bytes of the process that imports what workers need, and forks them."""
FOREIGN = ("python", "smp", "classifier")
"""Kinds of networks whose code is not ours, and may hold something between calls."""
LOCAL = ("threads", "processes")
"""Engines whose processes share this machine, of which all is known."""
BESIDE = 0.9
"""Share of a job's memory that ``auto`` takes: batch systems count what the shell and the kernel hold as well."""


def processes(execution: ExecutionConfig, device: torch.device) -> int:
    """Processes of engine ``processes``: as many as asked for; else one per GPU, or one on the CPU.

    Raises
    ------
    ConfigError
        More are asked for than there are GPUs.
    """
    asked = execution.processes
    if device.type != "cuda":
        return 1 if asked == "auto" else asked
    there = len(gpus(device, execution.device))
    if asked != "auto" and asked > there:
        raise ConfigError(f"execution.processes is {asked}, but {there} GPUs may be used here, and each takes one process. Give at most {there}, or auto.")
    return there if asked == "auto" else asked


def gpus(device: torch.device, asked: str) -> tuple[str, ...]:
    """What CUDA calls the GPUs that a job may use, in order: the one that its config names, or all that this process sees; none for the CPU."""
    if device.type != "cuda":
        return ()
    said = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    seen = said or [str(k) for k in range(torch.cuda.device_count())]
    named = torch.device(asked).index if asked != "auto" else None
    return tuple(seen) if named is None else (seen[named],)


def hands(config: Config, device: torch.device) -> Hands:
    """The processes that share the budget of `budget`, each with a device such as the one here."""
    return replace(_hands(config, device), device=room(device))


def room(device: torch.device) -> int | None:
    """Bytes that tensors may take of a device with memory of its own; None of the CPU.

    Of all of its memory: what others hold of it comes and goes, while tiles are decided once.
    """
    return int(torch.cuda.mem_get_info(device)[1] * resources.ROOM) if device.type == "cuda" else None


def _hands(config: Config, device: torch.device) -> Hands:
    execution = config.execution
    if execution.engine == "processes":
        count = processes(execution, device)
        return Hands(processes=count, apart=resources.resident() + SCHEDULING + FORK_SERVER, together=count == 1)
    if execution.engine == "slurm":
        return Hands(processes=slurm(execution).processes, apart=NANNY, together=False)
    return Hands(together=False) if execution.engine == "address" else HERE


def budget(config: Config) -> int:
    """Bytes that may be taken on one machine, in one job of a cluster, or by one worker of a scheduler."""
    execution = config.execution
    if execution.memory != "auto":
        return parse_bytes(execution.memory)
    if execution.engine == "slurm":
        return int(parse_bytes(slurm(execution).memory) * BESIDE)
    return resources.default_budget()


def threads(config: Config, device: torch.device) -> int:
    """Threads with which one process computes: its share of the cores."""
    execution = config.execution
    if execution.engine == "slurm":
        return slurm(execution).cores // slurm(execution).processes
    if execution.engine == "address" and execution.address is not None and execution.address.threads is not None:
        return execution.address.threads
    count = processes(execution, device) if execution.engine == "processes" else 1
    return max(1, resources.cores() // count)


def streams(config: Config, device: torch.device, radius: int | None, compiles: bool) -> tuple[int, ...]:
    """Tiles that each process may compute at once: as many as asked for; else one, and whatever shares its cores evenly where that is safe and pays.

    Safe is what holds nothing between calls: code of others may. A GPU computes one at a time, and so does what was compiled, which is not
    made for several threads. Networks that look at single pixels gain nothing.

    Raises
    ------
    ConfigError
        Several are asked for where only one can be.
    """
    execution, cores = config.execution, threads(config, device)
    most = cores if execution.workers == "auto" else min(cores, execution.workers)
    alone = "a GPU" if device.type != "cpu" else "a compiled network" if compiles else "engine serial" if execution.engine == "serial" else None
    if execution.streams != "auto":
        if alone and execution.streams > 1:
            raise ConfigError(f"execution.streams is {execution.streams}, but {alone} computes one tile at a time. Give 1, or auto.")
        return (execution.streams,)
    suits = alone is None and config.model.kind not in FOREIGN and execution.engine in LOCAL and radius != 0
    return tuple(count for count in range(most, 0, -1) if cores % count == 0) if suits else (1,)


def slurm(execution: ExecutionConfig) -> SlurmConfig:
    """What a config that names the engine says of it."""
    assert execution.slurm is not None, "the config is refused without"
    return execution.slurm
