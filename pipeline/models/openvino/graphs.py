"""A network in OpenVINO: graphs that are compiled for each shape of image, and their memory.

Nothing here needs torch.
"""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError
from pipeline.models.cropping.regions import Regions
from pipeline.models.openvino.converted_graph import ConvertedGraph, conversion_reason
from pipeline.models.openvino.cropping.cut import cut_graph
from pipeline.models.openvino.session import compile_static, static_graph
from pipeline.runtime import resources
from pipeline.runtime.memory_constants import GRAPHS_BYTES

ROW_GRAPHS, ALL_GRAPHS = 4, 9
"""Compiled graphs that are kept: at least those of a row of tiles, which has three shapes, of both edges and of within;
at most those of all rows. A graph that was dropped is compiled again, to the same bytes. But OpenVINO trims the heap
whenever it drops one, and the next tile pays for all of its pages anew: 0.6 CPU seconds per million pixels measured."""
FILLED_SHARE = 0.9
"""Of the room that a smaller image left, what is filled: other threads may have taken some of it already."""

_Key = tuple[int, tuple[int, ...], Regions | None]
"""Threads, shape and all cuts: two kept parts may be cut differently, and still come of the same output."""


def max_graphs(converted: ConvertedGraph) -> int:
    """How many compiled graphs of a network are kept."""
    constants = (node for node in converted.model.get_ops() if node.get_type_name() == "Constant")
    weights: int = max(sum(node.get_byte_size() for node in constants), 1)
    return min(max(GRAPHS_BYTES // weights, ROW_GRAPHS), ALL_GRAPHS)


class CompiledGraphs:
    """Images through OpenVINO, one after the other.

    Sizes are fixed in each graph. Graphs for any size would cost more time and memory.
    """

    def __init__(self, converted: ConvertedGraph) -> None:
        import openvino

        self.converted, self._core = converted, openvino.Core()
        self.max_graphs = max_graphs(converted)
        self._compiled: OrderedDict[_Key, tuple[Any, Any]] = OrderedDict()
        self._largest = 0
        self._fillers: list[npt.NDArray[np.uint8]] = []

    def run(
        self, image: npt.NDArray[np.float32], threads: int, regions: Regions | None = None
    ) -> npt.NDArray[np.generic]:
        """Run one image.

        Parameters
        ----------
        image
            (batch, bands, rows, cols) float32, in that order in memory.
        threads
            Intra-op threads.
        regions
            What is computed of it; None for all of it.

        Returns
        -------
        array
            (batch, classes, rows, cols) at the network's own size, in the dtype of the graph; of the regions' output
            where there are regions.

        Raises
        ------
        MemoryError
            There is no memory for it.
        ModelError
            OpenVINO cannot compile the graph for this size.
        """
        import openvino

        compiled, request = self._opened(image.shape, threads, regions)
        port = compiled.output(self.converted.output)
        answer = np.empty(tuple(port.get_shape()), dtype=port.get_element_type().to_dtype())
        request.set_input_tensor(openvino.Tensor(image, shared_memory=True))
        request.set_tensor(port, openvino.Tensor(answer, shared_memory=True))
        try:
            request.infer()
        except Exception as error:
            if "bad_alloc" in str(error) or "allocate" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return answer

    def _opened(self, shape: tuple[int, ...], threads: int, regions: Regions | None) -> tuple[Any, Any]:
        """The graph of a shape, compiled, with its request. Others give back the memory of their images."""
        key = (threads, shape, regions)
        newest = next(reversed(self._compiled), None)
        if newest is not None and newest != key:
            self._release(newest, shape)
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        while len(self._compiled) >= self.max_graphs:
            self._compiled.popitem(last=False)
        compiled = self._compile(shape, threads, regions)
        self._compiled[key] = compiled, compiled.create_infer_request()
        return self._compiled[key]

    def _compile(self, shape: tuple[int, ...], threads: int, regions: Regions | None) -> Any:
        try:
            graph = static_graph(self.converted.model, shape)
            if regions is not None:
                cut_graph(graph, self.converted.output, regions)
            return compile_static(self._core, graph, threads)
        except Exception as error:  # whatever its passes raise
            raise ModelError(
                f"OpenVINO cannot compile this network for {shape[2]} × {shape[3]} px ({conversion_reason(error)})"
            ) from error

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
                self._fillers.append(np.empty(int(FILLED_SHARE * room), dtype=np.uint8))  # never written
