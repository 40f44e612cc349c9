"""How one axis of a block is tiled: with a halo (local networks) or on a lattice with overlap (all others).

With a halo, ``c`` is kept and ``h`` only read; at the raster's own edge ``e`` there is no halo:

    |hhhh|cccccccccccc|hhhh|                     tile 1
                  |hhhh|cccccccccccc|hhhh|       tile 2
    |eccccccccccc|hhhh|                          first tile of the raster
  |pp|eccccccccccc|hhhh|                         the same where the raster is padded by p
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.geometry.span import Span, cut_evenly, round_up


@dataclass(frozen=True, slots=True)
class AxisTile:
    """One axis of one tile."""

    read: Span
    """What the network sees; may reach beyond the raster's far edge, where pixels are invalid."""
    keep: Span
    """The part of it that counts for the block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloTiling:
    """Cores side by side, each read with a halo: exact for a local network whose radius is at most the halo."""

    length: int
    """Length of the axis, px."""
    multiple: int
    """The stride: tiles begin and end on multiples of it, px."""
    halo: int
    """A multiple of ``multiple``, px."""
    core: int
    """Longest core, a multiple of ``multiple``, px."""
    minimum: int = 1
    """Smallest input of the network, px."""
    near: int = 0
    """What tiles may see before the axis, a multiple of ``multiple``, px."""
    far: int = 0
    """What tiles see behind the axis at least, px."""

    @property
    def _smallest(self) -> int:
        return round_up(self.minimum, self.multiple)

    @property
    def padded(self) -> int:
        """Where the axis ends, padded to a multiple of the stride and to the network's minimum, px."""
        return max(round_up(self.length + self.far, self.multiple), self._smallest - self.near)

    @property
    def whole(self) -> Span:
        """All that tiles may see."""
        return Span(-self.near, self.padded)

    @property
    def largest(self) -> int:
        """Longest tile that can occur, px."""
        return min(max(self.core + 2 * self.halo, self._smallest), self.whole.size)

    def tiles(self, block: Span, inside: Span | None = None) -> Iterator[AxisTile]:
        """Cores that cover the block or a part of it, each with its halo.

        Cores are aligned outwards to the stride and cut evenly.
        """
        part, read_span = inside or block, self.read_span(block)
        for core in cut_evenly(part.align(self.multiple), self.core, self.multiple):
            yield AxisTile(
                self._widen(core.grow(self.halo).intersect(self.whole), read_span.stop), core.intersect(part)
            )

    def read_span(self, block: Span) -> Span:
        """All that the tiles of a block read."""
        return self._widen(block.align(self.multiple).grow(self.halo).intersect(self.whole), self.padded)

    def _widen(self, read: Span, end: int) -> Span:
        if read.size >= self._smallest:
            return read
        start = min(read.start, end - self._smallest)
        return Span(start, start + self._smallest)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeTiling:
    """Tiles of one size at origins 0, step, 2·step …; the last is moved back to end at the padded edge.

    Where the raster is padded, the first begins before it. The lattice belongs to the raster, not to the block, so
    results do not depend on blocks.
    """

    length: int
    """Length of the axis, px."""
    multiple: int
    """Sizes and origins are multiples of it, px."""
    size: int
    """Tile size, a multiple of ``multiple``, px."""
    step: int
    """Distance of neighbouring origins, a multiple of ``multiple``, px."""
    near: int = 0
    """What tiles see before the axis, a multiple of ``multiple``, px."""
    far: int = 0
    """What tiles see behind the axis at least, px."""

    @property
    def padded(self) -> int:
        """Where the last tile ends: behind the axis, at a multiple and after one tile at least, px."""
        return max(round_up(self.length + self.far, self.multiple), self.size - self.near)

    @property
    def largest(self) -> int:
        """The tile size, px."""
        return self.size

    def tiles(self, block: Span, inside: Span | None = None) -> Iterator[AxisTile]:
        """The tiles that touch the block, or a part of it."""
        part, last = inside or block, self.padded - self.size
        count = -(-(last + self.near) // self.step) + 1
        first = max(0, (part.start + self.near - self.size) // self.step + 1)
        for i in range(min(first, count - 1), count):
            start = min(i * self.step - self.near, last)
            tile = Span(start, start + self.size)
            if tile.start >= part.stop:
                return
            if tile.stop > part.start:
                yield AxisTile(tile, tile.intersect(part))

    def read_span(self, block: Span) -> Span:
        """All that the tiles of a block read."""
        reads = [tile.read for tile in self.tiles(block)]
        return Span(reads[0].start, reads[-1].stop)
