"""The tensors that a network infers with, whoever loaded them.

What its modules hold, and what else goes into its operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
import xxhash
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.interfaces import InputConstraints
from pipeline.models.answer import output_for_noise


class Uses(TorchDispatchMode):
    """Digests of tensors that operations were given and none of them made, in the order in which they were."""

    def __init__(self, tensors: Iterator[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self.digests: list[str] = []
        self._storages: dict[int, StorageWeakRef] = {}
        """Storages, by an address that stays theirs for as long as they are here; what they hold may go."""
        for tensor in tensors:
            self.add_storage(tensor)

    def add_storage(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's storage was not known before; now it is."""
        if tensor.layout is not torch.strided:
            return False
        storage = StorageWeakRef(tensor.untyped_storage())
        return self._storages.setdefault(storage.cdata, storage) is storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in _tensors((args, kwargs)):
            if self.add_storage(tensor):
                self.digests.append(digest_of_tensor(tensor))
        result = func(*args, **(kwargs or {}))
        for returned in _tensors(result):
            self.add_storage(returned)
        return result


def tensors_of(module: torch.nn.Module, bands: int, accepts: InputConstraints, trained: int | None) -> tuple[str, str]:
    """What a network infers with, seen on one small image.

    Parameters
    ----------
    module
        In eval mode, as it was made.
    bands, accepts, trained
        As for `output_for_noise`.

    Returns
    -------
    tuple
        XXH3 of all its tensors, and of those that are no part of its state dict; empty where there are none of these.
    """
    state = {
        name: digest_of_tensor(tensor) for name, tensor in chain(module.named_parameters(), module.named_buffers())
    }
    with Uses(chain(module.parameters(), module.buffers())) as uses:
        output_for_noise(module, bands, accepts, trained)
    saved = module.state_dict().keys()
    unsaved = [f"{name} {value}" for name, value in state.items() if name not in saved] + uses.digests
    all_lines = [f"{name} {value}" for name, value in sorted(state.items())] + uses.digests
    return _hash(all_lines), _hash(unsaved) if unsaved else ""


def state_of(module: torch.nn.Module) -> str:
    """XXH3 of all tensors of a network that keeps every one of them in its state dict."""
    return _hash([f"{name} {digest_of_tensor(tensor)}" for name, tensor in sorted(module.state_dict().items())])


def digest_of_tensor(tensor: torch.Tensor) -> str:
    """XXH3 of a tensor's dtype, shape and bytes, in hex."""
    state = xxhash.xxh3_128(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    if not tensor.is_meta:
        state.update(_bytes(tensor.detach()))
    return state.hexdigest()


def _bytes(tensor: torch.Tensor) -> Any:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    dense = (
        (tensor if tensor.layout is torch.strided else tensor.to_dense())
        .cpu()
        .resolve_conj()
        .resolve_neg()
        .contiguous()
    )
    return dense.reshape(-1).view(torch.uint8).numpy().data


def _hash(lines: list[str]) -> str:
    return xxhash.xxh3_128("\n".join(lines).encode()).hexdigest()


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
