"""How many pixels of the committed blocks are invalid, and why: by their commit records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

    def add(self, pixels: int, invalid: Mapping[str, int]) -> None:
        """Count a block."""
        self.pixels += pixels
        summed = {cause: self.invalid.get(cause, 0) + invalid.get(cause, 0) for cause in CAUSES}
        self.invalid = {cause: count for cause, count in summed.items() if count}

    def recorded(self) -> dict[str, Any]:
        """What a commit record says of its block."""
        return {"pixels": self.pixels, "invalid": self.invalid}


def counts(ledger: Ledger, blocks: Iterable[BlockPosition]) -> InvalidCounts | None:
    """Of some blocks together; None where a record does not say, as in releases before this one, or cannot be read."""
    total = InvalidCounts()
    for block in blocks:
        record = _record(ledger, block)
        if not (isinstance(record.get("pixels"), int) and isinstance(record.get("invalid"), dict)):
            return None
        total.add(record["pixels"], record["invalid"])
    return total


def _record(ledger: Ledger, block: BlockPosition) -> dict[str, Any]:
    """What was recorded of a block; nothing where that is damaged, which `verify` tells."""
    try:
        return ledger.record(block) or {}
    except StoreError:
        return {}
