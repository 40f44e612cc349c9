"""``execution.runtime: torch``: the network as it was loaded."""

from __future__ import annotations

import torch

from pipeline.models.cropping.network import record_cropping
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime


def _obstacle(network: Loaded, _: torch.device) -> str | None:
    return None if network.graph is None else "an ONNX file runs in onnxruntime, and not in torch"


TORCH_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=lambda network, _: network,
    noun="a network of torch",
    single=False,
    native=True,
    crop=record_cropping,
)
