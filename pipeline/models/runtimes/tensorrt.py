"""``execution.runtime: tensorrt``: engines of TensorRT, on GPUs of CUDA. It was never run: no such GPU was at hand."""

from __future__ import annotations

import torch

from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime, installed_release
from pipeline.models.tensorrt.engine import TENSORRT_PACKAGE
from pipeline.models.tensorrt.network import measure_engine_memory, run_by_tensorrt

TENSORRT_EXTRA = "tensorrt"
"""Of this package."""


def _release() -> str:
    """Such as 2.12; empty where it is not installed."""
    return installed_release(TENSORRT_PACKAGE)


def _obstacle(network: Loaded, device: torch.device) -> str | None:
    if device.type != "cuda":
        return f"TensorRT is run on GPUs of CUDA alone, and execution.device is {device}"
    if not _release():
        return f"TensorRT is not installed; install it with pip install 'wholecloth[{TENSORRT_EXTRA}]'"
    if isinstance(network, Ensemble):
        return "several networks, or one whose classes are added up, are not run by TensorRT yet"
    if network.graph is not None:
        return "an ONNX file runs in onnxruntime; give TensorRT a network of torch"
    return None


TENSORRT_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=run_by_tensorrt,
    noun="TensorRT",
    single=True,
    extra=TENSORRT_EXTRA,
    release=_release,
    memory=measure_engine_memory,
)
