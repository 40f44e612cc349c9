"""One process from its start to its end: seconds, CPU seconds and the most memory that it took, within limits."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass

from benchmarks.performance.watch import ROOT, high_water

EVERY_S = 0.05
"""Between two looks at a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took."""

    wall: float
    """s."""
    cpu: float
    """s, its children included."""
    peak: int
    """Bytes, its children left out."""
    fault: str = ""
    """Why it came to no end, if so."""


def run(command: list[str], memory: int, seconds: float) -> Cost:
    """Run a command to its end, or to a limit of bytes or seconds, at which it is killed.

    Parameters
    ----------
    command
        Its standard output is dropped.
    memory
        Bytes.
    seconds
        Of the wall.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    fault, peak = "", 0
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        peak = max(peak, high_water(process.pid))  # the kernel's figure at the end has that of this process in it
        if not fault and peak > memory:
            fault = f"over {memory / 2**30:g} GiB"
        elif not fault and time.perf_counter() - start > seconds:
            fault = f"over {seconds:g} s"
        if fault:
            process.kill()
        time.sleep(EVERY_S)
    wall, (_, status, used) = time.perf_counter() - start, ended
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    with process.stderr:
        words = process.stderr.read().decode(errors="replace").strip()
    if process.returncode and not fault:
        fault = f"failed: {words.splitlines()[-1] if words else process.returncode}"
    return Cost(wall=wall, cpu=used.ru_utime + used.ru_stime, peak=peak, fault=fault)
