"""``execution.runtime: onnxruntime``: ONNX files, which nothing else runs by itself."""

from __future__ import annotations

import torch

from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime


def _obstacle(network: Loaded, _: torch.device) -> str | None:
    if network.graph is not None:
        return None
    return (
        "onnxruntime runs ONNX files, and this network is one of torch; save it with torch.onnx.export, and give that "
        "file with model.kind: onnx"
    )


ONNX_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=lambda network, _: network,
    noun="a network of onnxruntime",
    single=False,
    native=True,
    extra="onnx",
)
