"""A network that OpenVINO runs, as a module of torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch

from pipeline.errors import ModelError
from pipeline.models.loaded import Loaded
from pipeline.models.openvino.convert import ConvertedGraph, conversion_reason
from pipeline.models.openvino.kept_graph import kept_graph
from pipeline.models.openvino.session import compiled_for
from pipeline.runtime import resources
from pipeline.runtime.memory_constants import GRAPHS_BYTES

ROW_GRAPHS, ALL_GRAPHS = 4, 9
"""Compiled graphs that are kept: at least those of a row of tiles, which has three shapes, of both edges and of within;
at most those of all rows. A graph that was dropped is compiled again, to the same bytes. But OpenVINO trims the heap
whenever it drops one, and the next tile pays for all of its pages anew: 0.6 CPU seconds per million pixels measured."""
FILLED_SHARE = 0.9
"""Of the room that a smaller image left, what is filled: other threads may have taken some of it already."""

_Key = tuple[int, tuple[int, ...]]
"""Threads and shape."""


def run_by_openvino(network: Loaded, shape: Sequence[int]) -> Loaded:
    """The same network, run by OpenVINO; its answers differ by roundings.

    Parameters
    ----------
    network
        On the CPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, with which its code is followed.

    Raises
    ------
    ModelError
        OpenVINO cannot take it.
    """
    return replace(network, module=OpenVinoNetwork(kept_graph(network, shape)), graph=None)


def max_graphs(converted: ConvertedGraph) -> int:
    """How many compiled graphs of a network are kept."""
    constants = (node for node in converted.model.get_ops() if node.get_type_name() == "Constant")
    weights: int = max(sum(node.get_byte_size() for node in constants), 1)
    return min(max(GRAPHS_BYTES // weights, ROW_GRAPHS), ALL_GRAPHS)


class OpenVinoNetwork(torch.nn.Module):
    """Images through OpenVINO, one after the other, by a graph that is compiled for each shape.

    Sizes are fixed in each graph. Graphs for any size would cost more time and memory.
    """

    def __init__(self, converted: ConvertedGraph) -> None:
        super().__init__()
        import openvino

        self.converted, self._core = converted, openvino.Core()
        self.register_buffer("place", torch.empty(0))  # tells that it is on the CPU
        self.max_graphs = max_graphs(converted)
        self._compiled: OrderedDict[_Key, tuple[Any, Any]] = OrderedDict()
        self._largest = 0
        self._fillers: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) float32 → (batch, classes, rows, cols) at the network's own size.

        Raises
        ------
        ModelError
            Less than float32 is asked for.
        """
        if torch.is_autocast_enabled("cpu"):
            raise ModelError("execution.runtime openvino computes in float32 alone. Leave execution.precision auto.")
        import openvino

        image, (compiled, request) = x.to(torch.float32).contiguous(), self._opened(tuple(x.shape))
        port = compiled.output(self.converted.output)
        answer = torch.empty(tuple(port.get_shape()), dtype=torch.from_numpy(_nothing(port)).dtype)
        request.set_input_tensor(openvino.Tensor(image.numpy(), shared_memory=True))
        request.set_tensor(port, openvino.Tensor(answer.numpy(), shared_memory=True))
        try:
            request.infer()
        except Exception as error:
            if "bad_alloc" in str(error) or "allocate" in str(error):
                raise torch.OutOfMemoryError(str(error)) from error
            raise
        return answer

    def _opened(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The graph of a shape, compiled, with its request. Others give back the memory of their images."""
        key = (torch.get_num_threads(), shape)
        newest = next(reversed(self._compiled), None)
        if newest is not None and newest != key:
            self._release(newest, shape)
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        while len(self._compiled) >= self.max_graphs:
            self._compiled.popitem(last=False)
        try:
            compiled = compiled_for(self._core, self.converted.model, shape, key[0])
        except Exception as error:  # whatever its passes raise
            raise ModelError(
                f"OpenVINO cannot compile this network for {shape[2]} × {shape[3]} px ({conversion_reason(error)})"
            ) from error
        self._compiled[key] = compiled, compiled.create_infer_request()
        return self._compiled[key]

    def _release(self, key: _Key, shape: tuple[int, ...]) -> None:
        """Give back the memory of an image, which is one piece of the heap, before another shape takes its own.

        A larger image fits not where a smaller one was. So that room for both does not stay resident, the room of the
        smaller one goes to the kernel, and nothing else may come there: an image that is smaller again then takes its
        memory from the room of the larger one.
        """
        used = resources.heap_in_use()
        self._compiled[key][0].release_memory()
        self._largest = max(self._largest, prod(key[1]))
        if prod(shape) > self._largest:
            room = used - resources.heap_in_use()
            resources.trim_heap()
            if room > 0:
                self._fillers.append(torch.empty(int(FILLED_SHARE * room), dtype=torch.uint8))  # never written


def _nothing(port: Any) -> Any:
    """An empty array of the dtype of an output."""
    import numpy as np

    return np.empty(0, port.get_element_type().to_dtype())
