"""Sessions of onnxruntime, and what one run of them costs in memory.

Also run as a script, in a process of its own: what a run holds at its peak is seen from outside, and there is nothing
else in there. It imports nothing of this package, so that it starts without torch.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

FATAL = 4
"""Level of onnxruntime's log: its errors are raised as well, and told by us."""


def open_session(
    model: str | bytes,
    threads: int,
    providers: Sequence[Any] = ("CPUExecutionProvider",),
    *,
    folder: str = "",
    optimise: bool = True,
) -> Any:
    """A session that rounds alike every time and keeps no memory between runs.

    Parameters
    ----------
    model
        Path of the file, or its bytes.
    threads
        Intra-op threads.
    providers
        What it runs on, each with its options or by its name alone.
    folder
        Where weights outside the file lie, for bytes.
    optimise
        Whether operations are fused; without it each keeps its own result.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # an arena keeps the largest tile of each shape for good
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.use_deterministic_compute = True
    options.log_severity_level = FATAL
    # threads that wait would take the cores of readers and writers
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=list(providers))


def measure_peak(model: str, threads: int, inputs: dict[str, tuple[str, list[int]]], output: str) -> int:
    """Bytes that one run holds at its peak beyond its inputs; alone in a process.

    ``inputs`` are the dtype and the shape of each, by name.
    """
    import numpy as np
    import psutil

    session = open_session(model, threads)
    images = {name: np.ones(shape, dtype) for name, (dtype, shape) in inputs.items()}
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc only
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # loading may have held more than running will
    resident_before = int(psutil.Process().memory_info().rss)
    results = session.run([output], images)
    assert results
    return max(_highest() - resident_before, 0)


def _highest() -> int:
    """Most bytes resident so far; what ``getrusage`` says on Linux is partly the parent's."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    print(measure_peak(**json.loads(sys.argv[1])))
