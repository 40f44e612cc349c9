"""``execution.runtime: tensorrt``: engines of TensorRT, on GPUs of CUDA. It was never run: no such GPU was at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime, RuntimeMemory, installed_release
from pipeline.models.tensorrt import TENSORRT_PACKAGE

if TYPE_CHECKING:
    from pipeline.interfaces import Device

TENSORRT_EXTRA = "tensorrt"
"""Of this package."""


def _release() -> str:
    """Such as 2.12; empty where it is not installed."""
    return installed_release(TENSORRT_PACKAGE)


def _obstacle(network: Loaded, device: Device) -> str | None:
    if device.type != "cuda":
        return f"TensorRT is run on GPUs of CUDA alone, and execution.device is {device}"
    if not _release():
        return f"TensorRT is not installed; install it with pip install 'wholecloth[{TENSORRT_EXTRA}]'"
    if isinstance(network, Ensemble):
        return "several networks, or one whose classes are added up, are not run by TensorRT yet"
    if network.runs_outside:
        return "an ONNX file runs in onnxruntime; give TensorRT a network of torch"
    return None


def _run(network: Loaded, shape: Sequence[int]) -> Loaded:
    from pipeline.models.tensorrt.network import run_by_tensorrt

    return run_by_tensorrt(network, shape)


def _memory(network: Loaded, shape: Sequence[int], other: Sequence[int], threads: int) -> RuntimeMemory:
    from pipeline.models.tensorrt.network import measure_engine_memory

    return measure_engine_memory(network, shape, other, threads)


TENSORRT_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=_run,
    noun="TensorRT",
    single=True,
    extra=TENSORRT_EXTRA,
    release=_release,
    memory=_memory,
)
