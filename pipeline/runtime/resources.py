"""Facts of the machine: memory that is free, memory that is used, cores, where caches lie."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

import psutil

MIB = 2**20
GIB = 2**30
GDAL_CACHE = 64 * MIB
"""GDAL's block cache, for the whole process. GDAL fixes its size at the first read, so a plan cannot change it."""
CGROUP = Path("/sys/fs/cgroup")
HEAP_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
"""Of ``struct mallinfo2``, each a ``size_t``."""
_BEGAN = time.monotonic()
MEMORY_SHARE = 0.8
"""Share of the free memory that a run allows itself when nothing is said."""


def free_memory() -> int:
    """Bytes that the machine, or the cgroup of this process, has free."""
    free = psutil.virtual_memory().available
    limit, usage = _cgroup("memory.max"), _cgroup("memory.current")
    return min(free, limit - usage) if limit is not None and usage is not None else free


def default_budget() -> int:
    """Bytes for the whole process when the config says ``auto``: what it has already, and most of what is free.

    What it freed counts either way, so the heap keeps it for the next job.
    """
    return int((free_memory() + _resident()) * MEMORY_SHARE)


def resident() -> int:
    """Bytes this process holds now, after giving back what it freed."""
    trim_heap()
    return _resident()


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def trim_heap() -> None:
    """Give back to the machine what this process freed and keeps for later."""
    if platform.system() == "Linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


class _HeapUse(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in HEAP_FIELDS]


def heap_in_use() -> int:
    """Bytes allocated within glibc's heap; 0 where the C library does not tell."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None) if platform.system() == "Linux" else None
    if ask is None:  # another library, or glibc before 2.33
        return 0
    ask.restype = _HeapUse
    return int(ask().uordblks)


def peak_resident() -> int:
    """Largest number of bytes this process ever held.

    On Linux not what its parent held before it, which ``getrusage`` counts as well.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if platform.system() == "Darwin" else peak * 1024)


def process_age() -> float:
    """Seconds since this process was started, whatever is done to the wall clock.

    Since this was imported, where the system does not say.
    """
    imported = time.monotonic() - _BEGAN
    with suppress(OSError, ValueError, IndexError, AttributeError):
        start_time = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(imported, time.clock_gettime(time.CLOCK_BOOTTIME) - start_time) if start_time else imported
    return imported


def cores() -> int:
    """Cores this process may use.

    Those it is bound to, no more than its cgroup's share of their time, and than ``OMP_NUM_THREADS`` says.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    omp_threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    limits = [bound, *([int(omp_threads)] if omp_threads.isdigit() and int(omp_threads) else []), *_share()]
    return max(1, min(limits))


def cache_folder() -> Path:
    """``$WHOLECLOTH_CACHE``, or ``wholecloth`` in the user's cache."""
    if folder := os.environ.get("WHOLECLOTH_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wholecloth"


def human(size: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def _share() -> list[int]:
    """Cores' worth of time that the cgroup of this process gets, where it is limited.

    A container sees all cores of its host.
    """
    quota, _, period = (_read_cgroup("cpu.max") or "").partition(" ")
    return [math.ceil(int(quota) / int(period))] if quota.isdigit() and period.isdigit() else []


def _cgroup(name: str) -> int | None:
    text = _read_cgroup(name)
    return int(text) if text is not None and text.isdigit() else None


def _read_cgroup(name: str) -> str | None:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return None
