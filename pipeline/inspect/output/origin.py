"""Where tensors come from: one recorded pass, whatever runs in torch."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from pipeline.interfaces import Network, Origin


class Recorder(TorchDispatchMode):
    """Notes which operation made each tensor, and of what; tensors themselves are not kept."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self._origins: Any = WeakTensorKeyDictionary()
        self._answer = Origin(operation="")

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, for seconds

    def __call__(self, network: Network, x: torch.Tensor) -> torch.Tensor:
        """Run a network on an image."""
        with self:
            answer = network(x)
        self._answer = self.origin(answer)
        return answer

    def origin_of_answer(self) -> Origin:
        """Where what the network returned comes from."""
        return self._answer

    def origin(self, tensor: torch.Tensor) -> Origin:
        """Where a tensor comes from; an operation without a name where that is not known, as of a weight."""
        source: Origin = self._origins.get(tensor, Origin(operation="", shape=tuple(tensor.shape)))
        return source

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # before an operation that writes in place
        values = tuple(self._value(leaf) for leaf in tree_leaves((args, kwargs)))
        returned = func(*args, **kwargs)
        name = getattr(func, "overloadpacket", func).__name__.strip("_")
        for place, leaf in enumerate(tree_leaves(returned)):
            if isinstance(leaf, torch.Tensor):
                self._origins[leaf] = Origin(operation=name, inputs=values, shape=tuple(leaf.shape), place=place)
        return returned

    def _value(self, leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if leaf not in self._origins and leaf.numel() == 1:
            return float(leaf)  # a constant that is kept as a tensor
        return self.origin(leaf)
