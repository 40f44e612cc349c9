"""Garbage while modules are imported: there is none, and looking for it takes a tenth of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Let imports run without the collector; what was imported is never looked through again.

    Torch and this package make a million objects, through which the collector would go several times.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()
