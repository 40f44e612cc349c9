"""How soon the workers of engine ``processes`` are at work, and what they hold.

``python -m benchmarks.workers spawn 8`` beside ``… forkserver 8``.

Prints seconds until each worker has had an item, from before the first import, and the memory of all processes but this
one (PSS, MiB).
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from unittest.mock import patch

import psutil

ITEMS = 4000


def at_work(item: int) -> str:
    """The process that has an item, after the imports of a block's work."""
    import pipeline.inference.block_task  # noqa: F401

    time.sleep(0.02)
    return str(psutil.Process().pid)


def measure(method: str, workers: int) -> tuple[float, float]:
    """Seconds, and MiB."""
    from benchmarks import workers as module
    from pipeline.engines import KINDS, processes
    from pipeline.interfaces import EngineOptions

    start, seen = time.perf_counter(), set[str]()
    forking = (
        nullcontext()
        if method == "forkserver"
        else patch.object(processes, "forked", lambda environment: nullcontext())
    )
    with forking, KINDS["processes"](1, EngineOptions(processes=workers, threads=1, notify=lambda line: None)) as run:
        for worker in run(module.at_work, range(ITEMS)):
            seen.add(worker)
            if len(seen) == workers:
                break
        seconds = time.perf_counter() - start
        held = sum(child.memory_full_info().pss for child in psutil.Process().children(recursive=True))
    return seconds, held / 2**20


if __name__ == "__main__":
    took, mib = measure(sys.argv[1], int(sys.argv[2]))
    print(f"{sys.argv[1]}, {sys.argv[2]} workers: all at work after {took:.1f} s, {mib:.0f} MiB")
