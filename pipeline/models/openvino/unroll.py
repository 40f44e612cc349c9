"""TorchScript without loops and branches, where they depend on nothing but how many axes an image has.

Scripted code of torch's own asks an image for its number of axes, and loops over them. OpenVINO knows no list that a
loop fills.
"""

from __future__ import annotations

from typing import Any

import torch

from pipeline.models.bn_folding.scripted import fresh_copy

AXIS_COUNT = 4
"""Of an image: batch, bands, rows and cols."""
MAX_UNROLLINGS = 32
"""Rounds; each round learns the axes of what the loops of the one before gave."""
KEEPS_AXES = frozenset(
    f"aten::{name}"
    for name in (
        *("conv2d", "_convolution", "conv_transpose2d", "batch_norm", "max_pool2d", "avg_pool2d", "dropout"),
        *("relu", "relu_", "leaky_relu", "silu", "hardtanh", "hardtanh_", "sigmoid", "add", "mul"),
        *("upsample_bilinear2d", "upsample_nearest2d", "cat"),
    )
)
"""Operations whose result has as many axes as their first input, or each of a list."""


def unrolled(module: Any) -> Any:
    """A copy of a frozen ScriptModule, unrolled as far as that goes; the module itself where it has nothing to unroll.

    Parameters
    ----------
    module
        Of one image, (batch, bands, rows, cols).
    """
    if not any(module.graph.findAllNodes(kind) for kind in ("prim::Loop", "prim::If")):
        return module
    copied = fresh_copy(module)
    _simplify(copied.graph)
    for _ in range(MAX_UNROLLINGS):
        if not _write_axes(copied.graph):
            break
        _simplify(copied.graph)
    return copied


def _write_axes(graph: Any) -> int:
    """Write the number of axes of images as a number; how often that was done."""
    images = _images(graph)
    asked = [node for node in graph.findAllNodes("aten::dim") if next(node.inputs()).debugName() in images]
    for node in asked:
        number = graph.insertConstant(AXIS_COUNT)
        number.node().moveBefore(node)
        node.output().replaceAllUsesWith(number)
        node.destroy()
    return len(asked)


def _images(graph: Any) -> set[str]:
    """Names of values that have the axes of an image, and of lists of such."""
    names = {list(graph.inputs())[1].debugName()}

    def visit(block: Any) -> None:
        for node in block.nodes():
            for inner in node.blocks():
                visit(inner)
            inputs = [value.debugName() for value in node.inputs()]
            first = node.kind() in KEEPS_AXES and inputs[:1] and inputs[0] in names
            all_of_list = node.kind() == "prim::ListConstruct" and inputs and names.issuperset(inputs)
            if first or all_of_list:
                names.add(node.output().debugName())

    visit(graph)
    return names


def _simplify(graph: Any) -> None:
    passes: Any = torch._C  # some have no stubs
    passes._jit_pass_constant_propagation(graph)
    passes._jit_pass_constant_loop_unrolling(graph)
    passes._jit_pass_remove_mutation(graph)
    passes._jit_pass_constant_propagation(graph)
    passes._jit_pass_peephole(graph, True)
    passes._jit_pass_dce(graph)
