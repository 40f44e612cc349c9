"""The first block is read while its store is made.

::

    plan ──► warnings ──► store ──► memory ──► blocks
      └────► read the first block ─────────────► taken, or waited for
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.inference.recipe import Block
from pipeline.interfaces import Source
from pipeline.runtime.background import start_in_background


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRead:
    """A block that a thread of its own reads, and what it is a block of."""

    source: Source
    layout: BlockGrid
    index: BlockIndex
    block: Future[Block]

    def is_of(self, source: Source, layout: BlockGrid, index: BlockIndex) -> bool:
        """Whether it is that block of that source."""
        return self.source is source and self.layout == layout and self.index == index


_begun: list[FirstRead] = []
"""One at the most."""
_guard = threading.Lock()


def begin_first_read(source: Source, layout: BlockGrid, index: BlockIndex, read: Callable[[], Block]) -> None:
    """Read a block in a thread that nobody waits for at the end; once, however often this is called.

    Parameters
    ----------
    source, layout
        What is read, by which blocks.
    index
        The first block of a job.
    read
        Reads it.
    """
    with _guard:
        if not any(begun.is_of(source, layout, index) for begun in _begun):
            block = start_in_background(read, "first read")
            _begun[:] = [FirstRead(source=source, layout=layout, index=index, block=block)]


def take_first_read(source: Source, layout: BlockGrid, index: BlockIndex) -> Block | None:
    """The block, once it is read; None where another block or nothing was begun.

    Raises
    ------
    ReadError
        It cannot be read.
    """
    with _guard:
        if not any(begun.is_of(source, layout, index) for begun in _begun):
            return None
        begun = _begun.pop()
    return begun.block.result()


def drop_first_read() -> None:
    """Let go of a block that nobody took, as where its store could not be made."""
    with _guard:
        _begun.clear()
