"""``execution.runtime: torch``: the network as it was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import Runtime

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.models.cropping.network import CroppedNetwork


def _obstacle(network: Loaded, _: Device) -> str | None:
    return None if not network.runs_outside else "an ONNX file runs in onnxruntime, and not in torch"


def _cropped(network: Loaded, image: torch.Tensor) -> CroppedNetwork:
    from pipeline.models.cropping.network import record_cropping

    return record_cropping(network, image)


TORCH_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=lambda network, _: network,
    noun="a network of torch",
    single=False,
    native=True,
    crop=_cropped,
)
