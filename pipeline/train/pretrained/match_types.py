"""What a state dict offers a network: tensors by the network's own names, and the rule that made each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTensor:
    """One tensor for the network."""

    tensor: torch.Tensor
    sources: tuple[str, ...]
    """Keys of the state dict it was made of, the main one first."""
    source_shape: tuple[int, ...]
    """Shape under the main key."""
    rule: str = ""
    """How it was made; nothing where it is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Everything a state dict has for a network."""

    source: str
    """What the state dict is, in words."""
    tensors: Mapping[str, OfferedTensor]
    """By the network's names."""
    spare: tuple[str, ...]
    """Beginnings of keys that are of no use here, which is no surprise."""
    optional: tuple[str, ...] = ()
    """Beginnings of the network's names that such a state dict may lack, beside its head."""


def unchanged_tensor(key: str, tensor: torch.Tensor) -> OfferedTensor:
    """A tensor as it is."""
    return OfferedTensor(tensor=tensor, sources=(key,), source_shape=tuple(tensor.shape))
