"""``execution.runtime: tensorrt``: engines of TensorRT, on GPUs of CUDA. It was never run: no such GPU was at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Library, Runtime, RuntimeMemory
from pipeline.models.tensorrt import TENSORRT_PACKAGE

if TYPE_CHECKING:
    from pipeline.interfaces import Device


_LIBRARY = Library(name="TensorRT", package=TENSORRT_PACKAGE, extra="tensorrt", kind="cuda", devices="GPUs of CUDA")


def _obstacle(network: Loaded, device: Device) -> str | None:
    obstacle = _LIBRARY.obstacle(network, device)
    if obstacle is None and network.runs_outside:
        return "an ONNX file runs in onnxruntime; give TensorRT a network of torch"
    return obstacle


def _run(network: Loaded, shape: Sequence[int]) -> Loaded:
    from pipeline.models.tensorrt.network import run_by_tensorrt

    return run_by_tensorrt(network, shape)


def _memory(network: Loaded, shape: Sequence[int], other: Sequence[int], threads: int) -> RuntimeMemory:
    from pipeline.models.tensorrt.network import measure_engine_memory

    return measure_engine_memory(network, shape, other, threads)


TENSORRT_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=_run,
    noun=_LIBRARY.name,
    single=True,
    extra=_LIBRARY.extra,
    package=_LIBRARY.package,
    release=_LIBRARY.release,
    memory=_memory,
)
