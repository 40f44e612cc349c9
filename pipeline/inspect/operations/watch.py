"""Watching a network run: its operations, eager, scripted and exported alike, and which of them look at pixels.

A second image can run beside the first, to see how far each operation carries a change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from pipeline.inspect.operations.rules import Call, nonlocal_reason, spreads_everywhere
from pipeline.interfaces import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOp:
    """One operation that speaks against tiles."""

    reason: str
    """``everywhere``, ``positions`` or ``data``; ``table`` where a weight was cut or stretched, perhaps to the image's
    size."""
    text: str
    operation: str
    """Torch's name of it."""
    nth: int
    """How many of this name ran before."""
    module: str
    """Path of the module that ran, as far as hooks tell."""
    shape: tuple[int, ...]
    """Of what it returned."""


class OpRecorder(TorchDispatchMode):
    """Notes operations that look at the whole image, at positions, or where the pixels say.

    What descends from the input is followed, so that arithmetic on sizes, which traced networks do with tensors, is no
    branch on values. With another image beside it, an operation that is given few changed values and returns hardly any
    other looks at the whole image, whatever its name.
    """

    supports_higher_order_operators = True  # torch.cond passes through here as well

    def __init__(self, module: torch.nn.Module, other: torch.Tensor | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self.ops: list[RecordedOp] = []
        self.ran: Counter[str] = Counter()
        """How often each operation ran."""
        self._module = module
        self._other = other
        self._perturbed: PerturbedRun | None = None
        self._stack: list[str] = []
        self._pixels: Any = WeakTensorKeyDictionary()
        self._learned = {tensor.data_ptr() for tensor in chain(module.parameters(), module.buffers())}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, for seconds

    def __call__(self, network: Network, x: torch.Tensor) -> torch.Tensor:
        """Run a network on an image and note what it does."""
        self._pixels[x] = True
        self._perturbed = None if self._other is None else PerturbedRun(x, self._other)
        with self._track_modules(), self:
            return network(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "overloadpacket", func).__name__, kwargs or {}
        changed_share = self._perturbed.share((args, kwargs)) if self._perturbed else 0.0
        shadow = self._perturbed.run(func, args, kwargs) if self._perturbed else None
        returned = func(*args, **kwargs)
        call = Call(
            name=name, args=args, kwargs=kwargs, returned=returned, follows=self._follows, learned=self._is_learned
        )
        reason = nonlocal_reason(call)
        if self._perturbed:
            self._perturbed.keep(returned, shadow)
            reason = reason or spreads_everywhere(call, changed_share, self._perturbed.share(returned))
            if reason and reason[0] == "everywhere":
                self._perturbed.reset((args, kwargs), returned)
        if reason:
            self._note(call, *reason)
        self.ran[name] += 1
        if self._follows((args, kwargs)):
            self._pixels.update((leaf, True) for leaf in tensors(returned))
        return returned

    def _note(self, call: Call, reason: str, text: str) -> None:
        module = self._stack[-1] if self._stack else ""
        shape = tuple(next(tensors(call.returned)).shape) if reason == "table" else ()
        self.ops.append(
            RecordedOp(
                reason=reason, text=text, operation=call.name, nth=self.ran[call.name], module=module, shape=shape
            )
        )

    def _follows(self, values: Any) -> bool:
        return any(leaf in self._pixels for leaf in tensors(values))

    def _is_learned(self, values: Any) -> bool:
        return any(leaf.data_ptr() in self._learned for leaf in tensors(values))

    @contextmanager
    def _track_modules(self) -> Iterator[None]:
        """Keep the path of the module that runs. ScriptModules never call hooks, so theirs stay unnamed."""
        handles = []
        for name, part in self._module.named_modules():
            if not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_pre_hook(lambda _m, _x, name=name: self._stack.append(name)))
                handles.append(part.register_forward_hook(lambda _m, _x, _y: self._pop_module()))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _pop_module(self) -> None:
        self._stack.pop()


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
        """The same operation on shadows.

        All that is made inside the network has one, so that writing into it stays apart.
        """
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
            self._set(
                tensor,
                torch.where(first != self._tensors[first], self._tensors[tensor], tensor) if alike else tensor.clone(),
            )

    def _set(self, tensor: torch.Tensor, other: torch.Tensor) -> None:
        self._tensors[tensor] = other
        alike = tensor.shape == other.shape and tensor.numel() > 0
        self._shares[tensor] = (tensor != other).float().mean().item() if alike else 1.0

    def _shadow_of(self, value: Any) -> Any:
        return self._tensors.get(value, value) if isinstance(value, torch.Tensor) else value


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """Tensors in whatever an operation is given or returns."""
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor))
