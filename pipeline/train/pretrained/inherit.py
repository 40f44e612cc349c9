"""Starting a network from another: FCN-16s from 32s, FCN-8s from 16s, as in the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

SKIPS = ("score4.", "score3.")
"""Scores of skips: from 0 a network first says what its predecessor said (Long, Shelhamer & Darrell 2015, section 4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """Where each tensor came from."""

    matched: tuple[str, ...]
    """Taken over."""
    fresh: tuple[str, ...]
    """Not in the state dict: as the network was made, and 0 for the scores of skips."""
    left: tuple[str, ...]
    """In the state dict, and of no use here."""
    reshaped: tuple[str, ...]
    """In both with different shapes: left as the network was made."""


def inherit(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Inherited:
    """Take over every tensor of the same name and shape, in place."""
    tensors = network.state_dict()
    matched = [name for name in tensors if name in state and state[name].shape == tensors[name].shape]
    fresh = [name for name in tensors if name not in state]
    with torch.no_grad():
        for name in matched:
            tensors[name].copy_(state[name])
        for name in fresh:
            if name.startswith(SKIPS):
                tensors[name].zero_()
    reshaped = [name for name in tensors if name in state and name not in matched]
    return Inherited(matched=tuple(matched), fresh=tuple(fresh), left=tuple(name for name in state if name not in tensors), reshaped=tuple(reshaped))
