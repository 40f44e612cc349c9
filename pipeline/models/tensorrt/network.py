"""A network that TensorRT runs, as a module of torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes.runtime import RuntimeMemory
from pipeline.models.tensorrt.engine import engine_for
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of

MAX_ENGINES = 9
"""Engines that are kept: a raster has tiles of up to three heights and three widths."""


def run_by_tensorrt(network: Loaded, shape: Sequence[int]) -> Loaded:
    """The same network, run by TensorRT; its answers differ by roundings.

    Parameters
    ----------
    network
        On a GPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, for which the first engine is built.

    Raises
    ------
    ModelError
        TensorRT cannot take it.
    """
    module = TensorRtNetwork(network)
    module.engine(tuple(shape))
    return replace(network, module=module)


class TensorRtNetwork(torch.nn.Module):
    """Images through TensorRT, by an engine for each shape."""

    def __init__(self, network: Loaded) -> None:
        super().__init__()
        self.network = network
        self.device = _device(network.module)
        self.register_buffer("place", torch.empty(0, device=self.device))  # tells where it is
        self._engines: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) float32 → (batch, classes, rows, cols) at the network's own size.

        Raises
        ------
        ModelError
            Less than float32 is asked for, or TensorRT cannot take the network at this size.
        """
        if torch.is_autocast_enabled(self.device.type):
            raise ModelError("execution.runtime tensorrt computes in float32 alone. Give execution.precision: float32.")
        answer: torch.Tensor = self.engine(tuple(x.shape))(x.to(torch.float32).contiguous())
        return answer

    def engine(self, shape: tuple[int, ...]) -> Any:
        """The engine for a shape; of those that are kept the oldest goes."""
        if shape in self._engines:
            self._engines.move_to_end(shape)
            return self._engines[shape]
        while len(self._engines) >= MAX_ENGINES:
            self._engines.popitem(last=False)
        self._engines[shape] = engine_for(self.network, shape, self.device)
        return self._engines[shape]


def _device(module: torch.nn.Module) -> torch.device:
    """Where its weights are, which in frozen TorchScript are constants of its graph."""
    tensors = [*module.parameters(), *module.buffers()]
    if not tensors and isinstance(module, torch.jit.ScriptModule):
        graph: Any = module.inlined_graph
        tensors = [node.t("value") for node in graph.findAllNodes("prim::Constant") if _holds_tensor(node)]
    return tensors[0].device


def _holds_tensor(constant: Any) -> bool:
    return "value" in constant.attributeNames() and constant.kindOf("value") == "t"


def measure_engine_memory(network: Loaded, shape: Sequence[int], other: Sequence[int], threads: int) -> RuntimeMemory:
    """What TensorRT takes for a network, seen in this process and by the driver of the GPU.

    Parameters
    ----------
    network
        As `run_by_tensorrt` returned it.
    shape, other
        (batch, bands, rows, cols) of two images that it takes, which differ. The first one is run.
    threads
        Of no meaning on a GPU.
    """
    module = network.module
    assert isinstance(module, TensorRtNetwork), "asked only of a network that TensorRT runs"
    backend, resident = backend_of(module.device), resources.resident()
    module.engine(tuple(other))
    backend.give_back()
    before = backend.memory(module.device)
    image = torch.zeros(*shape, device=module.device)
    peak, _ = backend.peak(module, image)
    backend.give_back()
    after = backend.memory(module.device)
    taken = 0 if before is None or after is None else max(before.free - after.free, 0)
    return RuntimeMemory(
        libraries=max(resources.resident() - resident, 0), bytes_per_pixel=(peak + taken) / (shape[2] * shape[3])
    )
