"""Batch norm folded into convolutions, once a network is in eval mode.

Less arithmetic and less memory for the same answers but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What runs in place of a network as it was loaded."""

    network: Loaded
    """With batch norm folded in, or as it was loaded."""
    done: bool
    """Whether it is another than was loaded."""
    description: str
    """What was done, or why nothing was, in words."""


def fold(network: Loaded) -> Folded:
    """Fold what can be folded with certainty.

    The network that is given stays as it is, and what is not folded of it is shared.

    Parameters
    ----------
    network
        On its device, in eval mode.
    """
    if isinstance(network, Ensemble):
        return _fold_members(network)
    if network.runs_outside:
        return Folded(
            network=network, done=False, description="batch norm is left to onnxruntime, which folds it by itself"
        )
    import torch

    from pipeline.models.several_inputs.split_input import SplitInput, network_within

    with torch.no_grad():
        inner = network_within(network.module)
        module, description = _fold_function(inner)(inner)
    if module is not None and isinstance(network.module, SplitInput):
        module = network.module.with_network(module)
    result = network if module is None else replace(network, module=module, folded=True)
    return Folded(
        network=result,
        done=module is not None,
        description=description if module is not None else f"batch norm is not folded: {description}",
    )


def _fold_members(network: Ensemble) -> Folded:
    """Every network by itself; one that cannot be folded stays as it is."""
    results = [fold(one) for one in network.networks]
    descriptions = dict.fromkeys(result.description for result in results)
    return Folded(
        network=network.with_networks(result.network for result in results),
        done=any(result.done for result in results),
        description="; ".join(descriptions),
    )


def _fold_function(module: torch.nn.Module) -> Callable[[torch.nn.Module], tuple[torch.nn.Module | None, str]]:
    import torch

    from pipeline.models.bn_folding import eager, exported, scripted

    if isinstance(module, torch.jit.ScriptModule):
        return scripted.fold
    return exported.fold if exported.is_program(module) else eager.fold
