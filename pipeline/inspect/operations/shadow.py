"""A second image that runs beside the first, operation by operation, to see how far each of them carries a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary


class PerturbedRun:
    """What every tensor of a network would be, were the image another.

    Values are compared and not marked with NaN: comparisons swallow NaNs, and a sum over an image that was swallowed
    before would go unseen.
    """

    def __init__(self, image: torch.Tensor, other: torch.Tensor) -> None:
        self._tensors: Any = WeakTensorKeyDictionary()
        self._shares: Any = WeakTensorKeyDictionary()
        self._set(image, other)

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The same operation on shadows. All that is made inside the network has one, so that writing into it stays apart."""
        return func(*tree_map(self._shadow_of, args), **tree_map(self._shadow_of, kwargs))

    def share(self, values: Any) -> float:
        """The largest share of changed values among tensors."""
        return max((self._shares[leaf] for leaf in tensors(values) if leaf in self._shares), default=0.0)

    def keep(self, returned: Any, shadow: Any) -> None:
        """Remember what an operation returned for both."""
        for tensor, other in zip(tensors(returned), tensors(shadow), strict=True):
            self._set(tensor, other)

    def reset(self, given: Any, returned: Any) -> None:
        """Take back what an operation changed where it was given nothing new, so that the next is judged by itself."""
        first = next((leaf for leaf in tensors(given) if leaf in self._tensors), None)
        for tensor in tensors(returned):
            alike = first is not None and tensor.shape == first.shape == self._tensors[first].shape
            self._set(tensor, torch.where(first != self._tensors[first], self._tensors[tensor], tensor) if alike else tensor.clone())

    def _set(self, tensor: torch.Tensor, other: torch.Tensor) -> None:
        self._tensors[tensor] = other
        alike = tensor.shape == other.shape and tensor.numel() > 0
        self._shares[tensor] = (tensor != other).float().mean().item() if alike else 1.0

    def _shadow_of(self, value: Any) -> Any:
        return self._tensors.get(value, value) if isinstance(value, torch.Tensor) else value


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """Tensors in whatever an operation is given or returns."""
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor))
