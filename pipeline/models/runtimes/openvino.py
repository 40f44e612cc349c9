"""``execution.runtime: openvino``: OpenVINO's kernels, on CPUs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.models.cropping.network import CroppedNetwork, enlargement
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime.network import OnnxNetwork
from pipeline.models.openvino.cropping.record import record_graph
from pipeline.models.openvino.memory import measure_memory
from pipeline.models.openvino.network import OpenVinoNetwork, run_by_openvino
from pipeline.models.runtimes.runtime import Facts, Runtime, RuntimeMemory, installed_release

OPENVINO_PACKAGE, OPENVINO_EXTRA = "openvino", "openvino"
"""Of pip, and of this package."""


def _release() -> str:
    """Such as 2026.4; empty where it is not installed."""
    return installed_release(OPENVINO_PACKAGE)


def _obstacle(network: Loaded, device: torch.device) -> str | None:
    if device.type != "cpu":
        return f"OpenVINO is run on CPUs alone, and execution.device is {device}"
    if not _release():
        return f"OpenVINO is not installed; install it with pip install 'wholecloth[{OPENVINO_EXTRA}]'"
    if isinstance(network, Ensemble):
        return "several networks, or one whose classes are added up, are not run by OpenVINO yet"
    return _onnx_obstacle(network.module) if isinstance(network.module, OnnxNetwork) else None


def _onnx_obstacle(module: OnnxNetwork) -> str | None:
    if len(module.dtypes) > 1:
        return "an ONNX file of several inputs is not run by OpenVINO yet"
    if set(module.dtypes.values()) != {torch.float32}:
        return "the ONNX file takes other numbers than float32, which OpenVINO is not given"
    return None


def _module(network: Loaded) -> OpenVinoNetwork:
    assert isinstance(network.module, OpenVinoNetwork), "asked only of a network that OpenVINO runs"
    return network.module


def _facts(network: Loaded) -> Facts:
    converted = _module(network).converted
    return Facts(operators=converted.operators, fixed_numbers=converted.fixed_numbers)


def _cropped(network: Loaded, image: torch.Tensor) -> CroppedNetwork:
    """What it does is read from its graph: nothing is computed."""
    module, shape = _module(network), tuple(image.shape)
    record = record_graph(module.converted.model, module.converted.output, shape)
    return CroppedNetwork(network=network, record=record, compute=module, factor=enlargement(record, shape))


def _memory(network: Loaded, shape: Sequence[int], other: Sequence[int], threads: int) -> RuntimeMemory:
    return measure_memory(_module(network).converted, shape, other, threads)


OPENVINO_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=run_by_openvino,
    noun="OpenVINO",
    single=True,
    extra=OPENVINO_EXTRA,
    release=_release,
    facts=_facts,
    crop=_cropped,
    memory=_memory,
)
