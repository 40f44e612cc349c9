"""Graphs of OpenVINO compiled for one shape, and what they cost in memory.

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

DEVICE = "CPU"
"""OpenVINO's name of the only kind of device that it is used on."""
CLEAR_PEAK = "5"
"""Written to ``clear_refs``, it lets the kernel forget the most memory that a process held."""


def properties(threads: int) -> dict[str, Any]:
    """What a graph is compiled with: float32 in the order of the graph, and one image at a time on so many threads.

    Threads are not bound to cores, where those of readers and of other processes may run.
    """
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
    }


def static_graph(graph: Any, shape: Sequence[int]) -> Any:
    """A copy of a graph that takes images of one shape, its constants worked out.

    Parameters
    ----------
    graph
        ``openvino.Model`` of one input; it stays as it is.
    shape
        (batch, bands, rows, cols).
    """
    from openvino import passes

    static = graph.clone()
    static.reshape(list(shape))
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(static)
    return static


def compile_static(core: Any, graph: Any, threads: int) -> Any:
    """A graph of one shape, compiled.

    Parameters
    ----------
    core
        ``openvino.Core``.
    graph
        ``openvino.Model`` of fixed shapes.
    threads
        Intra-op threads.
    """
    return core.compile_model(graph, DEVICE, properties(threads))


def measure_costs(graph: str, threads: int, shapes: list[list[int]]) -> dict[str, float]:
    """Bytes that OpenVINO holds, alone in a process.

    Parameters
    ----------
    graph
        Path of an IR file.
    threads
        Intra-op threads.
    shapes
        Of two images, which differ. The second one is run.

    Returns
    -------
    dict
        ``library``, the libraries with what the first graph makes them load; ``graph``, one compiled graph; and
        ``image``, the peak of a run beyond its input.
    """
    import numpy as np

    before = _resident()
    import openvino

    core = openvino.Core()
    core.set_property(DEVICE, {"ENABLE_MMAP": "NO"})
    loaded = _resident()
    model = core.read_model(graph)
    read = _forget_peak()
    first = compile_static(core, static_graph(model, shapes[0]), threads)
    both = _highest() - read
    with_first = _forget_peak()
    second = compile_static(core, static_graph(model, shapes[1]), threads)
    one = max(_highest() - with_first, 0)
    request = second.create_infer_request()
    image = openvino.Tensor(np.ones(shapes[1], np.float32))
    request.set_input_tensor(image)
    idle = _forget_peak()
    request.infer()
    peak = max(_highest() - idle, 0)
    assert first is not second
    return {"library": max(loaded - before + both - one, 0), "graph": one, "image": peak}


def _forget_peak() -> int:
    """Resident bytes, from which on the most is counted."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc only
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    return _resident()


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _highest() -> int:
    """Most bytes resident so far; what ``getrusage`` says on Linux is partly the parent's."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    print(json.dumps(measure_costs(**json.loads(sys.argv[1]))))
