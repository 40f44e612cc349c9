"""Any source, read by blocks so that what neighbours read in common is decoded once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, ReadHangs
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.read_sharing import ReadExtents, ReadSharing, extents_per_axis, rectangles, window_of
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.decoded_cache import DecodedCache, RemainingReaders, SweepPosition, Unit
from pipeline.sources.wrappers.wrapper import SourceWrapper


def share_reads(source: Source, layout: BlockGrid, sharing: ReadSharing) -> Source:
    """The source, read once for all blocks of a layout; as it is where they share nothing."""
    return SharedReads(source=source, layout=layout, sharing=sharing) if sharing.cached_bytes else source


@dataclass(frozen=True, kw_only=True)
class SharedReads(SourceWrapper):
    """A source that holds what the blocks to come will read again.

    Pickles as its spec; a process has one, whoever brings it.
    """

    layout: BlockGrid
    sharing: ReadSharing
    name: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False, repr=False)
    """By which it is found again where it comes by pickle once more."""
    _cache: DecodedCache = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cache", DecodedCache(self.sharing.cached_bytes))
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return process_singleton.get_or_create, (
            type(self),
            self.name,
            {"source": self.source, "layout": self.layout, "sharing": self.sharing},
        )

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        What is at fault outside the window must not fail it: where a unit cannot be read, the window is tried by
        itself.

        Raises
        ------
        ReadError
            The window cannot be read.
        """
        inside = window.clip(self.layout.height, self.layout.width)
        position = self._position(inside)
        try:
            with self._cache.reading(position):
                return self._assemble(window, inside, position)
        except ReadHangs:
            raise  # the window by itself would hang as well, and for as long
        except ReadError:
            return self.source.read(window)

    def _assemble(self, window: Window, inside: Window, position: SweepPosition) -> Pixels:
        data = np.zeros((self.bands, window.height, window.width), dtype=self.dtype)
        frame = _Frame(window, Pixels(data=data, valid=np.zeros(data.shape[1:], dtype=bool)))
        remaining, decoded = {unit: self._need(unit, position) for unit in self._units(inside)}, 0
        while remaining:
            lookup = self._cache.lookup(remaining)
            while lookup.hits:
                unit, pixels = lookup.hits.popitem()
                frame.paste(self._window(unit), pixels)
            decoded += self._decode({unit: remaining[unit] for unit in lookup.to_decode}, frame)
            remaining = {
                unit: remaining[unit]
                for unit, waiting in lookup.pending.items()
                if not self._take_pending(unit, remaining[unit], waiting, frame)
            }
        return Pixels(data=data, valid=frame.pixels.valid, causes=frame.causes, decoded=decoded)

    def _decode(self, units: dict[Unit, RemainingReaders], frame: _Frame) -> int:
        """Read units that nobody has, several at once where they are adjacent; how many pixels that decoded."""
        max_units = self.sharing.decoding // (self.sharing.unit[0] * self.sharing.unit[1])
        decoded = 0
        with self._delivered(units) as open_units:
            for rows, cols in rectangles(units, max_units):
                where = window_of(self.sharing.unit, rows, cols, self.layout)
                pixels = self.source.read(where)
                decoded += pixels.decoded
                frame.paste(where, pixels)
                for unit in product(range(rows.start, rows.stop), range(cols.start, cols.stop)):
                    part = _part(pixels, where, self._window(unit), copied=units[unit].left > 0)
                    self._cache.put(unit, part, units[unit])
                    open_units.discard(unit)
        return decoded

    def _take_pending(self, unit: Unit, need: RemainingReaders, waiting: Future[Pixels], frame: _Frame) -> bool:
        """Whether somebody else has decoded a unit for this frame as well."""
        try:
            frame.paste(self._window(unit), waiting.result())
        except ReadError:
            return False
        self._cache.release(unit, need)
        return True

    @contextmanager
    def _delivered(self, units: Iterable[Unit]) -> Iterator[set[Unit]]:
        """Whatever happens, nobody waits for a unit for ever."""
        left = set(units)
        try:
            yield left
        finally:
            self._cache.give_up(left)

    def _units(self, window: Window) -> Iterator[Unit]:
        rows, cols = (
            range(span.start // unit, -(-span.stop // unit))
            for span, unit in zip((window.rows, window.cols), self.sharing.unit, strict=True)
        )
        return product(rows, cols) if window.pixels else iter(())

    def _window(self, unit: Unit) -> Window:
        return window_of(self.sharing.unit, Span(unit[0], unit[0] + 1), Span(unit[1], unit[1] + 1), self.layout)

    def _position(self, window: Window) -> SweepPosition:
        """The block whose frame a window is, or is a part of."""
        rows, cols = self._extents
        col = cols.block(window.col)
        return self.layout.swath_of(col), rows.block(window.row), col

    def _need(self, unit: Unit, position: SweepPosition) -> RemainingReaders:
        """Blocks of the same swath that read a unit as well."""
        swath, row, col = position
        rows, cols = self._extents
        down = rows.users(unit[0] * self.sharing.unit[0])
        across = cols.users(unit[1] * self.sharing.unit[1], self.layout.swath(swath))
        next_position = (
            (swath, row, col + 1)
            if col + 1 < across.stop
            else (swath, row + 1, across.start)
            if row + 1 < down.stop
            else position
        )
        return RemainingReaders(down.size * across.size - 1, next_position, (swath, down.stop - 1, across.stop - 1))

    @property
    def _extents(self) -> tuple[ReadExtents, ReadExtents]:
        return extents_per_axis(self.layout, self.sharing.unit)


@dataclass(slots=True)
class _Frame:
    """A window that is put together."""

    window: Window
    pixels: Pixels
    causes: npt.NDArray[np.uint8] | None = None
    """Made where the first part has any."""

    def paste(self, where: Window, pixels: Pixels) -> None:
        """Take over what a window has in common with this one."""
        overlap = where.intersect(self.window)
        to, origin = overlap.index_in(self.window), overlap.index_in(where)
        self.pixels.data[(slice(None), *to)] = pixels.data[(slice(None), *origin)]
        self.pixels.valid[to] = pixels.valid[origin]
        if pixels.causes is not None:
            if self.causes is None:
                self.causes = np.zeros(self.pixels.valid.shape, np.uint8)
            self.causes[to] = pixels.causes[origin]


def _part(pixels: Pixels, read_window: Window, window: Window, copied: bool) -> Pixels:
    where = window.index_in(read_window)
    data, valid = pixels.data[(slice(None), *where)], pixels.valid[where]
    causes = None if pixels.causes is None or valid.all() else pixels.causes[where]
    if copied:
        data, valid, causes = data.copy(), valid.copy(), None if causes is None else causes.copy()
    return Pixels(data=data, valid=valid, causes=causes)
