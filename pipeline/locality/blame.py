"""Which layers keep a network from being local, by the operations it runs and the modules it is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from pipeline.locality.places import places
from pipeline.locality.probe import Prober
from pipeline.locality.watch import Seen, Watch

GLOBAL_MODULES = re.compile(
    r"GroupNorm|InstanceNorm|Adaptive\w*Pool|Global\w*Pool|Squeeze(And)?Exc|^(c|s|sc)?SE(Module|Block|Layer)?$|SCSE|Attention|^Transformer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Layers and operations that speak against tiles, in the order they were met."""

    everywhere: tuple[str, ...]
    """They look at the whole image."""
    positions: tuple[str, ...]
    """They know where in the image they are."""
    data: tuple[str, ...]
    """Where they look, or whether, depends on the pixels."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return self.everywhere + self.positions + self.data


def suspects(prober: Prober, side: int) -> Suspects:
    """Run one image and watch; then read the module tree and, where modules cannot be watched, the graphs."""
    module = prober.network.module
    watch = Watch(module)
    prober.see(prober.noise(side, side), watch)
    kinds = _kinds(module)
    found = {why: _named(module, kinds, [seen for seen in watch.seen if seen.why == why]) for why in ("everywhere", "positions", "data")}
    everywhere = dict.fromkeys([*_modules(module, kinds), *found["everywhere"]])
    return Suspects(everywhere=tuple(everywhere), positions=tuple(found["positions"]), data=tuple(found["data"]))


def _kinds(module: torch.nn.Module) -> dict[str, str]:
    """Class of every module inside by its path; a program's own modules are told by the stacks of its nodes."""
    if isinstance(module, torch.fx.GraphModule):
        stacks = (node.meta.get("nn_module_stack", {}) for node in module.graph.nodes)
        told = {path: str(kind).rpartition(".")[2] for stack in stacks for path, kind in stack.values()}
        return {path: told[path] for path in sorted(told) if path}
    return {path: str(getattr(part, "original_name", type(part).__name__)) for path, part in module.named_modules() if path}


def _modules(module: torch.nn.Module, kinds: dict[str, str]) -> list[str]:
    corners = [path for path, part in module.named_modules() if getattr(part, "align_corners", None) is True]
    return [_said(path, kind) for path, kind in kinds.items() if GLOBAL_MODULES.search(kind)] + [_said(path, "align_corners") for path in corners]


def _named(module: torch.nn.Module, kinds: dict[str, str], seen: list[Seen]) -> list[str]:
    """Operations with the modules they stand in, less those whose module is named already."""
    said: dict[str, None] = {}
    for one in seen:
        for path in [one.module] if one.module else places(module, one.operation) or [""]:
            if not GLOBAL_MODULES.search(kinds.get(path, "")):
                said[_said(path, one.words)] = None
    return list(said)


def _said(path: str, what: str) -> str:
    return f"{path} ({what})" if path else what
