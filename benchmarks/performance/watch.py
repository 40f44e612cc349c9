"""A process watched from outside.

Wall time, the largest memory of its tree, what other programs did meanwhile, and a limit for both.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

EVERY_S = 0.1
"""Between two looks at a process. Each takes a core for a while, and so holds up all threads of a network."""
CHILDREN_EVERY = 5
"""Looks at a process for one look for its children, which goes through all processes of the machine and takes a
millisecond."""
INHERITED = ("MALLOC_", "OMP_", "MKL_", "OPENBLAS_", "GDAL_CACHEMAX", "GDAL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
"""Settings of whoever starts the benchmark that would reach some of what is measured: everything is run as if they were
not there."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Beyond these a process is stopped, and nothing but it."""

    memory: int
    """Bytes of the process and its children."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What became of a process."""

    status: str
    """``ok``, or why there is no answer."""
    wall: float
    """Seconds from its start to its end."""
    peak: int
    """Bytes."""
    others: float
    """Cores that other programs, or other guests of the machine's host, kept busy meanwhile, on average."""
    answer: dict[str, Any] = field(default_factory=dict)


def watch(command: list[str], answer: Path, environment: Mapping[str, str], limits: Limits) -> Watched:
    """Run a command to its end or to a limit, and take up what it wrote to ``answer``."""
    answer.unlink(missing_ok=True)
    log = answer.with_suffix(".log")
    ours, everyone, start = _own_cpu(), _all_cpu(), time.perf_counter()
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=ROOT,
            env=environment_for(environment),
            start_new_session=True,
        )
        peak, stopped = _until_done(process, limits)
    wall = time.perf_counter() - start
    others = max(_all_cpu() - everyone - (_own_cpu() - ours), 0.0) / wall
    status = stopped or (f"failed: {_last_words(log)}" if process.returncode or not answer.exists() else "ok")
    return Watched(
        status=status,
        wall=wall,
        peak=peak,
        others=others,
        answer=json.loads(answer.read_text()) if status == "ok" else {},
    )


def environment_for(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a measured process."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(INHERITED)}, **given}


def _until_done(process: subprocess.Popen[bytes], limits: Limits) -> tuple[int, str]:
    """Largest memory seen, and why it was stopped, if it was."""
    start, tree, peak, ended = time.perf_counter(), Tree(process.pid), 0, os.pidfd_open(process.pid)
    try:
        while process.poll() is None:
            peak = max(peak, tree.held())
            over = peak > limits.memory
            if over or time.perf_counter() - start > limits.seconds:
                return (
                    peak,
                    f"stopped at {limits.memory / 2**30:.3g} GiB" if over else f"stopped after {limits.seconds:g} s",
                )
            select.select([ended], [], [], EVERY_S)
    finally:
        os.close(ended)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return peak, ""


class Tree:
    """The memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._children: dict[int, psutil.Process] = {}
        self._known: set[int] = set()
        self._looks = 0

    def held(self) -> int:
        """Peak and present memory, bytes.

        The peak is the kernel's own mark of the process. The present is the process with its children. The larger one
        counts.

        A child counts from its second look on, since between fork and exec it shows the memory of its parent.
        """
        self._known = set(self._children)
        if self._looks % CHILDREN_EVERY == 0:
            with suppress(psutil.Error):
                self._children = {child.pid: child for child in self._root.children(recursive=True)}
        self._looks += 1
        counted = [child for pid, child in self._children.items() if pid in self._known]
        return max(high_water(self._root.pid), sum(resident(process) for process in (self._root, *counted)))


def high_water(pid: int) -> int:
    """VmHWM in bytes; 0 where there is none."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def resident(process: psutil.Process) -> int:
    """Bytes held now; 0 of one that is gone."""
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _own_cpu() -> float:
    """Seconds of this process and of all its children that ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _all_cpu() -> float:
    """Seconds of everything on the machine, and those that its host gave to others while there was work here."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal")))


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "without a word"
