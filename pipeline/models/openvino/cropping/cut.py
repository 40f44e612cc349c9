"""Cuts in a graph of OpenVINO: each operation is given what the kept part is made of, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.geometry.window import Window
from pipeline.models.cropping.regions import CroppedStep, Regions
from pipeline.models.openvino.cropping.operations import SIZE_INPUT
from pipeline.models.openvino.cropping.record import image_nodes


def cut_graph(graph: Any, output: int, regions: Regions) -> None:
    """Cut images before the operations that need less of them.

    Parameters
    ----------
    graph
        ``openvino.Model`` of one shape, which is changed: what it returns is the regions' output.
    output
        Which of its outputs are the logits.
    regions
        Of the same graph, for an image of that shape.
    """
    nodes = list(image_nodes(graph))
    for (node, places), step in zip(nodes, regions.steps, strict=True):
        assert step is not None, "every operation of a graph is one on its image"
        _cut_inputs(node, places, step)
    graph.validate_nodes_and_infer_types()
    rows, cols = graph.outputs[output].get_shape()[2:]
    assert (rows, cols) == (regions.output.height, regions.output.width), "the graph does what was read of it"


def _cut_inputs(node: Any, places: tuple[int, ...], step: CroppedStep) -> None:
    for place, given, present in zip(places, step.inputs, step.present, strict=True):
        if given != present:
            node.input(place).replace_source_output(_part(node.input_value(place), given, present))
    if node.get_type_name() == "Interpolate" and node.get_attributes()["shape_calculation_mode"] == "sizes":
        node.input(SIZE_INPUT).replace_source_output(_size(node, step.output))


def _part(image: Any, given: Window, present: Window) -> Any:
    """A part of an image."""
    from openvino import opset13

    rows, cols = given.index_in(present)
    starts, stops = [rows.start, cols.start], [rows.stop, cols.stop]
    numbers = (np.array(values, dtype=np.int64) for values in (starts, stops, [1, 1], [2, 3]))
    return opset13.slice(image, *(opset13.constant(values) for values in numbers)).output(0)


def _size(node: Any, output: Window) -> Any:
    """How large the output of an enlarging operation is, as it takes it: of all axes, or of those of the image."""
    from openvino import opset13

    before = node.input_value(SIZE_INPUT)
    values = np.array(before.get_node().data)
    values[-2:] = (output.height, output.width)
    return opset13.constant(values).output(0)
