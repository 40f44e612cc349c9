"""Runtimes, by name: each runs a network that was loaded, and all of them give the same up to roundings."""

from __future__ import annotations

from pipeline.config.families import RUNTIME_KINDS
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.compile import COMPILE_RUNTIME
from pipeline.models.runtimes.onnxruntime import ONNX_RUNTIME
from pipeline.models.runtimes.openvino import OPENVINO_RUNTIME
from pipeline.models.runtimes.runtime import Runtime
from pipeline.models.runtimes.tensorrt import TENSORRT_RUNTIME
from pipeline.models.runtimes.torch import TORCH_RUNTIME

KINDS: dict[str, Runtime] = {
    "torch": TORCH_RUNTIME,
    "compile": COMPILE_RUNTIME,
    "openvino": OPENVINO_RUNTIME,
    "onnxruntime": ONNX_RUNTIME,
    "tensorrt": TENSORRT_RUNTIME,
}
RUNTIME_KINDS.register(KINDS)


def native_runtime(network: Loaded) -> str:
    """The name of what runs a network as it was loaded, with which all others are compared."""
    return "onnxruntime" if network.runs_outside else "torch"
