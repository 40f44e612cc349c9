"""How many pixels of the committed blocks are invalid, and why, and how many were clipped: by their commit records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pipeline.errors import StoreError
from pipeline.interfaces import CAUSES
from pipeline.store.ledger import BlockPosition, Ledger


@dataclass(slots=True)
class InvalidCounts:
    """Pixels that were asked for, and those of them that are invalid."""

    pixels: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    """By what makes them so, a key of `CAUSES`."""
    clipped: list[int] = field(default_factory=list)
    """Valid pixels of each channel whose number was clipped; empty where none was."""

    def add(self, pixels: int, invalid: Mapping[str, int], clipped: Sequence[int] = ()) -> None:
        """Count a block."""
        self.pixels += pixels
        self.add_clipped(clipped)
        summed = {cause: self.invalid.get(cause, 0) + invalid.get(cause, 0) for cause in CAUSES}
        self.invalid = {cause: count for cause, count in summed.items() if count}

    def add_clipped(self, clipped: Sequence[int]) -> None:
        """Count clipped pixels, by channel."""
        if any(clipped):
            summed = zip_longest(self.clipped, clipped, fillvalue=0)
            self.clipped = [ours + others for ours, others in summed]

    def recorded(self) -> dict[str, Any]:
        """What a commit record says of its block."""
        clipped = {"clipped": self.clipped} if self.clipped else {}
        return {"pixels": self.pixels, "invalid": self.invalid, **clipped}


def counts(ledger: Ledger, blocks: Iterable[BlockPosition]) -> InvalidCounts | None:
    """Of some blocks together; None where a record does not say, as in releases before this one, or cannot be read."""
    total = InvalidCounts()
    for block in blocks:
        record = _record(ledger, block)
        if not (isinstance(record.get("pixels"), int) and isinstance(record.get("invalid"), dict)):
            return None
        total.add(record["pixels"], record["invalid"], record.get("clipped", ()))
    return total


def _record(ledger: Ledger, block: BlockPosition) -> dict[str, Any]:
    """What was recorded of a block; nothing where that is damaged, which `verify` tells."""
    try:
        return ledger.record(block) or {}
    except StoreError:
        return {}
