"""Which layers keep a network from being local, by the operations it runs and the modules it is made of."""

from __future__ import annotations

import re
from dataclasses import replace

import torch

from pipeline.inspect.locality.probe import IMAGE_AXES, Axis, Prober, slice_axis
from pipeline.inspect.memory.limit import COMPARED_COPIES
from pipeline.inspect.operations import onnx
from pipeline.inspect.operations.location import locate_op
from pipeline.inspect.operations.rules import NonLocalOps
from pipeline.inspect.operations.watch import OpRecorder, RecordedOp
from pipeline.models.several_inputs.split_input import network_within

GLOBAL_MODULES = re.compile(
    r"GroupNorm|InstanceNorm|Adaptive\w*Pool|Global\w*Pool|Squeeze(And)?Exc|^(c|s|sc)?SE(Module|Block|Layer)?$|SCSE|Attention|^Transformer"
)
"""Classes that are a name of their own; what stands in others is named by what it does."""
STRIP_LENGTH = 1024
"""Length of the strips that are changed at one end, px."""


def find_nonlocal_ops(prober: Prober, side: int, thorough: bool = True) -> NonLocalOps:
    """Run images and watch.

    Parameters
    ----------
    prober
        The network.
    side
        Side of the image, px, which the network takes.
    thorough
        Also change a part of a long image and see which operations carry the change everywhere: at four times the cost,
        and of no interest where tiles equal the whole.
    """
    if prober.network.graph is not None:
        return onnx.find_nonlocal_steps(prober, prober.network.graph, side, thorough)
    module = network_within(prober.network.module)
    recorder = OpRecorder(module)
    prober.run(prober.noise(side, side), recorder)
    ops = [*recorder.ops, *(_spread(prober, side) if thorough else ())]
    kinds = _kinds(module)

    def labels(why: str) -> tuple[str, ...]:
        paths = (
            (one, path) for one in ops if one.reason == why for path in _paths(module, one, recorder.ran[one.operation])
        )
        return tuple(dict.fromkeys(_label(kinds, path, one.text) for one, path in paths))

    return NonLocalOps(everywhere=labels("everywhere"), positions=labels("positions"), data=labels("data"))


def global_layers(module: torch.nn.Module) -> tuple[str, ...]:
    """Layers whose class says that they look at the whole image; nothing is run."""
    return tuple(f"{path} ({kind})" for path, kind in _kinds(module).items() if GLOBAL_MODULES.search(kind))


def _spread(prober: Prober, side: int) -> list[RecordedOp]:
    """Operations that carry a change everywhere from either end of a strip, and tables that are cut to its length."""
    strips = [_both_ends(prober, axis, side) for axis in IMAGE_AXES]
    rows, cols = ({(op.operation, op.nth): op for op in strip if op.reason == "table"} for strip in strips)
    tables = [
        replace(op, reason="positions") for key, op in rows.items() if key in cols and cols[key].shape != op.shape
    ]
    return [op for strip in strips for op in strip if op.reason != "table"] + tables


def _both_ends(prober: Prober, axis: Axis, side: int) -> list[RecordedOp]:
    """What is seen whichever end is changed.

    A part of an image that is cut out may be changed all over by one of them.
    """
    length = prober.size(STRIP_LENGTH, side)
    base = prober.strip(axis, length, side)
    per_end = []
    for start, stop in ((0, length // 4), (length - length // 4, length)):
        other = base.clone()
        slice_axis(other, axis, start, stop).mul_(-10.0)
        recorder = OpRecorder(network_within(prober.network.module), other)
        prober.run(base, recorder, COMPARED_COPIES)
        per_end.append(recorder.ops)
    return [op for op in per_end[0] if op in per_end[1]]


def _kinds(module: torch.nn.Module) -> dict[str, str]:
    """Class of every module inside by its path; a program's own modules are told by the stacks of its nodes."""
    if isinstance(module, torch.fx.GraphModule):
        stacks = (node.meta.get("nn_module_stack", {}) for node in module.graph.nodes)
        classes = {path: str(kind).rpartition(".")[2] for stack in stacks for path, kind in stack.values()}
        return {path: classes[path] for path in sorted(classes) if path}
    return {
        path: str(getattr(part, "original_name", type(part).__name__)) for path, part in module.named_modules() if path
    }


def _paths(module: torch.nn.Module, op: RecordedOp, times: int) -> list[str]:
    return [op.module] if op.module else locate_op(module, op.operation, op.nth, times) or [""]


def _label(kinds: dict[str, str], path: str, text: str) -> str:
    """A layer that everybody knows by its class, another by what it does."""
    kind = kinds.get(path, "")
    description = kind if GLOBAL_MODULES.search(kind) else text
    return f"{path} ({description})" if path else description
