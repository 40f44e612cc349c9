"""The module that this process read last, kept for the next job of the same file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

import torch

Module = TypeVar("Module", bound=torch.nn.Module)
_guard = threading.Lock()
_last: dict[Hashable, torch.nn.Module] = {}


def kept_module(key: Hashable, read: Callable[[], Module]) -> Module:
    """A module whose code and weights are all in one file, read once for jobs that follow each other.

    Parameters
    ----------
    key
        All that decides the module: a digest of its bytes, and the device. A file that was written anew in between has
        another.
    read
        Reads it, in eval mode. The one that was kept before is let go first.
    """
    with _guard:
        if key not in _last:
            _last.clear()
            _last[key] = read()
        return _last[key]  # type: ignore[return-value]  # what a key was given with
