"""Bytes of tensors that are alive while a network runs, operation by operation: eager, scripted and exported alike."""

from __future__ import annotations

import weakref
from itertools import chain
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.inspect.operations.watch import tensors

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "matmul")


class Live(TorchDispatchMode):
    """Counts bytes of tensors that a network makes, and stops it once they would take more memory than a limit.

    The allocator may leave a hole as large as the largest tensor: what lies in it by then leaves no place for the next
    one as large.

    Parameters
    ----------
    module
        Whose own tensors do not count.
    limit
        Resident bytes.
    """

    supports_higher_order_operators = True  # torch.cond passes through here as well

    def __init__(self, module: torch.nn.Module, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self.resident = 0
        """Most bytes so far, with what convolutions need beside and with a hole."""
        self.full = False
        """Whether the network was stopped. TorchScript raises an error of its own in the place of ours."""
        self._limit, self._bytes, self._largest = limit, 0, 0
        self._storages: dict[int, weakref.ref[Any]] = {}
        self._weights = {tensor.untyped_storage()._cdata for tensor in chain(module.parameters(), module.buffers())}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        columns = _columns(func, args)
        self._check_limit(columns, _created(func, args))
        returned = func(*args, **(kwargs or {}))
        for tensor in tensors(returned):
            self._add(tensor.untyped_storage())
        self._check_limit(columns)
        return returned

    def _check_limit(self, *extra: int) -> None:
        self._largest = max(self._largest, *extra)
        self.resident = max(self.resident, self._bytes + sum(extra) + self._largest)
        if self.resident > self._limit:
            self.full = True
            raise torch.OutOfMemoryError("measuring needs more memory than it may take")

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._weights or key in self._storages:
            return

        def release(_: Any) -> None:
            self._bytes -= size
            self._storages.pop(key, None)

        self._bytes, self._largest = self._bytes + size, max(self._largest, size)
        self._storages[key] = weakref.ref(storage, release)


def _created(func: Any, args: Any) -> int:
    """Bytes of what an operation is about to make: of a product, which may be far larger than both of its factors.

    0 of others.
    """
    if getattr(func, "overloadpacket", func).__name__ not in PRODUCTS:
        return 0
    left, right = list(tensors(args))[-2:]
    return int(left.shape[:-1].numel() * right.shape[-1] * left.element_size())


def _columns(func: Any, args: Any) -> int:
    """Bytes that a direct convolution unfolds its input to, beside its input and its output.

    A convolution of C channels by k × k weights multiplies a matrix of C·k² rows and a column for each pixel of its
    output.
    """
    name = getattr(func, "overloadpacket", func).__name__
    if name not in ("convolution", "_convolution", "conv2d", "conv_transpose2d") or torch.backends.mkldnn.enabled:
        return 0
    image, weight = args[0], args[1]
    if image.ndim != 4 or weight.shape[2:].numel() == 1:
        return 0
    return int(prod(weight.shape[1:]) * image.shape[2] * image.shape[3] * image.element_size())
