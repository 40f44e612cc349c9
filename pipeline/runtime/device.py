"""The device of this process: the threads that own it, and the switches that keep its rounding fixed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import ModelError
from pipeline.runtime.allocator import has_malloc_settings
from pipeline.runtime.backends import KINDS, backend_of, choices, fastest
from pipeline.runtime.backends.base import ran_out
from pipeline.runtime.clock import on_callers_clock

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device


T = TypeVar("T")
_pools: dict[int, ThreadPoolExecutor] = {}
_guard = threading.Lock()
_prefault: Future[None] | None = None
"""Memory that is being laid out."""
_requested = threading.Event()
"""Set once something is to be computed: then what is laid out is enough, since whatever comes would wait for the rest
of it."""
STEP = 2**24
"""Bytes that are laid out before a look whether something is to be computed.

A virtual machine whose host is short of memory took up to 12 s per GiB: so much is waited for in 0.2 s.
"""

NAME = "device"
"""Of the threads that own the device, before their numbers."""


@dataclass(frozen=True, slots=True)
class CpuDevice:
    """The CPU, where torch does not compute and need not be imported to name it."""

    type: str = "cpu"
    index: int | None = None

    def __str__(self) -> str:
        return self.type


def cpu_without_torch(name: str) -> CpuDevice | None:
    """The CPU, where a config names it or this machine has nothing else; None where torch has to be asked."""
    others = name == "auto" and any(backend.copies and backend.possible() for backend in KINDS.values())
    return CpuDevice() if name in ("auto", "cpu") and not others else None


def select_device(name: str) -> torch.device:
    """The device a config names; ``auto`` is the first GPU, or the CPU.

    Raises
    ------
    ModelError
        The device does not exist here, or no backend drives its kind.
    """
    import torch

    if name == "auto":
        return torch.device(fastest().first)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"execution.device is {name!r}, which this machine does not have "
            f"({str(error).splitlines()[0]}). Use {choices()}."
        ) from error
    backend_of(device)
    return device


def torch_device(device: Device | str) -> torch.device:
    """A device as torch has it."""
    import torch

    return torch.device(str(device))


def run_on_device_thread(work: Callable[[], T], streams: int = 1) -> T:
    """Run in one of the device's threads and wait.

    OpenMP keeps a team per thread that computes, and where there are more threads in all teams than cores it puts those
    that wait to sleep at once, which costs a tenth of a network's speed; so no more threads compute than the plan says,
    from the first measurement on.

    Parameters
    ----------
    work
        What is run.
    streams
        As many may run at once as are called with this number; what is called with another does not wait for them.
    """
    if threading.current_thread().name.startswith(NAME):
        return work()
    carrying = on_callers_clock(work)
    _requested.set()
    if streams > 1 and _prefault is not None:
        _prefault.exception()  # until it is there: tiles would take memory beside what is being laid out for them
    return _device(streams).submit(carrying).result()


def prefault_memory(size: int) -> None:
    """Have the system lay out memory for tensors, in the device's thread and without waiting.

    The first tile would have to wait for it.

    It ends as soon as a tile comes, which lays out what it needs and no more. So this never takes longer than it saves.

    Parameters
    ----------
    size
        Bytes. Does nothing where the allocator would give them back at once.
    """
    global _prefault
    if has_malloc_settings():
        _requested.clear()
        _prefault = _device().submit(_touch, size)


def _touch(size: int) -> None:
    import torch

    memory = torch.empty(size, dtype=torch.uint8)
    for start in range(0, size, STEP):
        if _requested.is_set():
            return
        memory[start : start + STEP].fill_(0)


def _device(streams: int = 1) -> ThreadPoolExecutor:
    with _guard:
        if streams not in _pools:
            _pools[streams] = ThreadPoolExecutor(streams, thread_name_prefix=NAME)
        return _pools[streams]


@contextmanager
def no_jit_reoptimisation() -> Iterator[None]:
    """Let no ScriptModule be optimised anew after its first calls.

    It would round otherwise from then on, and keeps what it was optimised to.
    """
    from torch.jit import optimized_execution  # type: ignore[attr-defined]  # public, and left out of its __all__

    with optimized_execution(False):
        yield


@contextmanager
def fixed_numerics(precision: str, threads: int, device: torch.device) -> Iterator[None]:
    """Fix what changes the last bits: intra-op threads, TF32, the TorchScript optimiser, the autocast dtype."""
    import torch

    torch.set_num_threads(threads)
    for backend in KINDS.values():
        backend.fix_rounding()
    half = None if precision == "float32" else autocast_dtype(precision)
    with torch.inference_mode(), no_jit_reoptimisation(), torch.autocast(device.type, half, enabled=half is not None):
        yield


def autocast_dtype(precision: str) -> torch.dtype:
    """Torch's dtype of ``execution.precision``."""
    import torch

    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of a GPU, of page-locked memory or on the CPU.

    TorchScript wraps any of them in an error of its own.
    """
    return ran_out(error, [message for backend in KINDS.values() for message in backend.out_of_memory])
