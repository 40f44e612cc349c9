"""Which blocks are looked at, drawn while all of them pass by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from random import Random

from pipeline.geometry.blocks import BlockIndex


@dataclass(slots=True)
class Reservoir:
    """So many of an unknown number of blocks, each as likely as any other (algorithm R of Vitter 1985).

    No more are ever held.
    """

    capacity: int
    rng: Random
    blocks: list[BlockIndex] = field(default_factory=list)
    passed: int = 0
    """Blocks that were offered."""

    def add(self, index: BlockIndex) -> None:
        """Offer a block."""
        self.passed += 1
        if len(self.blocks) < self.capacity:
            self.blocks.append(index)
        elif (place := self.rng.randrange(self.passed)) < self.capacity:
            self.blocks[place] = index

    def in_random_order(self, count: int, rng: Random) -> Iterator[BlockIndex]:
        """So many at random; none comes twice before all have come."""
        for start in range(0, count, max(len(self.blocks), 1)):
            yield from rng.sample(self.blocks, min(len(self.blocks), count - start))


@dataclass(slots=True)
class BlockSample:
    """Blocks of one level: where nearly all hold nothing, those that do hold something are drawn all the same."""

    full: Reservoir
    """Of blocks with data: a chunk of which is recorded with a checksum."""
    empty: Reservoir
    """Of blocks that are recorded as nothing but fill."""

    @classmethod
    def of(cls, capacity: int, rng: Random) -> BlockSample:
        """Up to so many of each."""
        return cls(full=Reservoir(capacity, rng), empty=Reservoir(capacity, rng))

    def add(self, index: BlockIndex, chunks: dict[str, str], empty: str) -> None:
        """Offer a block with what is recorded of its chunks."""
        (self.full if any(checksum != empty for checksum in chunks.values()) else self.empty).add(index)

    def alternating(self, rng: Random) -> Iterator[BlockIndex]:
        """Those that were drawn, each once, those with data and those without by turns."""
        sides = (list(side.in_random_order(len(side.blocks), rng)) for side in (self.full, self.empty))
        yield from (index for pair in zip_longest(*sides) for index in pair if index is not None)
