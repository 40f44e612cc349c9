"""Which layers keep a network from being local, by the operations it runs and the modules it is made of."""

from __future__ import annotations

import re
from dataclasses import replace

import torch

from pipeline.inspect.locality.probe import AXES, Axis, Prober, along
from pipeline.inspect.memory.limit import SEVERAL
from pipeline.inspect.operations import onnx
from pipeline.inspect.operations.location import places
from pipeline.inspect.operations.suspects import Suspects
from pipeline.inspect.operations.watch import Seen, Watch

GLOBAL_MODULES = re.compile(
    r"GroupNorm|InstanceNorm|Adaptive\w*Pool|Global\w*Pool|Squeeze(And)?Exc|^(c|s|sc)?SE(Module|Block|Layer)?$|SCSE|Attention|^Transformer"
)
"""Classes that are a name of their own; what stands in others is named by what it does."""
LENGTH = 1024
"""Length of the strips that are changed at one end, px."""


def suspects(prober: Prober, side: int, thorough: bool = True) -> Suspects:
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
        return onnx.suspects(prober, prober.network.graph, side, thorough)
    module = prober.network.module
    watch = Watch(module)
    prober.see(prober.noise(side, side), watch)
    seen = [*watch.seen, *(_spread(prober, side) if thorough else ())]
    kinds = _kinds(module)

    def named(why: str) -> tuple[str, ...]:
        paths = ((one, path) for one in seen if one.why == why for path in _paths(module, one, watch.ran[one.operation]))
        return tuple(dict.fromkeys(_said(kinds, path, one.words) for one, path in paths))

    return Suspects(everywhere=named("everywhere"), positions=named("positions"), data=named("data"))


def by_name(module: torch.nn.Module) -> tuple[str, ...]:
    """Layers whose class says that they look at the whole image; nothing is run."""
    return tuple(f"{path} ({kind})" for path, kind in _kinds(module).items() if GLOBAL_MODULES.search(kind))


def _spread(prober: Prober, side: int) -> list[Seen]:
    """Operations that carry a change everywhere from either end of a strip, and tables that are cut to its length."""
    strips = [_both_ends(prober, axis, side) for axis in AXES]
    rows, cols = ({(one.operation, one.nth): one for one in strip if one.why == "table"} for strip in strips)
    tables = [replace(one, why="positions") for key, one in rows.items() if key in cols and cols[key].shape != one.shape]
    return [one for strip in strips for one in strip if one.why != "table"] + tables


def _both_ends(prober: Prober, axis: Axis, side: int) -> list[Seen]:
    """What is seen whichever end is changed: a part of an image that is cut out may be changed all over by one of them."""
    length = prober.size(LENGTH, side)
    base = prober.strip(axis, length, side)
    seen = []
    for start, stop in ((0, length // 4), (length - length // 4, length)):
        other = base.clone()
        along(other, axis, start, stop).mul_(-10.0)
        watch = Watch(prober.network.module, other)
        prober.see(base, watch, SEVERAL)
        seen.append(watch.seen)
    return [one for one in seen[0] if one in seen[1]]


def _kinds(module: torch.nn.Module) -> dict[str, str]:
    """Class of every module inside by its path; a program's own modules are told by the stacks of its nodes."""
    if isinstance(module, torch.fx.GraphModule):
        stacks = (node.meta.get("nn_module_stack", {}) for node in module.graph.nodes)
        told = {path: str(kind).rpartition(".")[2] for stack in stacks for path, kind in stack.values()}
        return {path: told[path] for path in sorted(told) if path}
    return {path: str(getattr(part, "original_name", type(part).__name__)) for path, part in module.named_modules() if path}


def _paths(module: torch.nn.Module, one: Seen, times: int) -> list[str]:
    return [one.module] if one.module else places(module, one.operation, one.nth, times) or [""]


def _said(kinds: dict[str, str], path: str, words: str) -> str:
    """A layer that everybody knows by its class, another by what it does."""
    kind = kinds.get(path, "")
    what = kind if GLOBAL_MODULES.search(kind) else words
    return f"{path} ({what})" if path else what
