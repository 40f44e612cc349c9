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
from pipeline.geometry.blocks import Layout
from pipeline.geometry.read_sharing import Hulls, Sharing, rectangles, rows_and_cols, window_of
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.decoded_cache import Held, Need, Place, Unit
from pipeline.sources.wrappers.wrapper import Around


def once(source: Source, layout: Layout, sharing: Sharing) -> Source:
    """The source, read once for all blocks of a layout; as it is where they share nothing."""
    return Once(source=source, layout=layout, sharing=sharing) if sharing.held else source


@dataclass(frozen=True, kw_only=True)
class Once(Around):
    """A source that holds what the blocks to come will read again. Pickles as its spec; a process has one, whoever brings it."""

    layout: Layout
    sharing: Sharing
    name: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False, repr=False)
    """By which it is found again where it comes by pickle once more."""
    _held: Held = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_held", Held(self.sharing.held))
        process_singleton.enter(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return process_singleton.revive, (type(self), self.name, {"source": self.source, "layout": self.layout, "sharing": self.sharing})

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        What is at fault outside the window must not fail it: where a unit cannot be read, the window is tried by itself.

        Raises
        ------
        ReadError
            The window cannot be read.
        """
        inside = window.clip(self.layout.height, self.layout.width)
        here = self._place(inside)
        try:
            with self._held.reading(here):
                return self._assemble(window, inside, here)
        except ReadHangs:
            raise  # the window by itself would hang as well, and for as long
        except ReadError:
            return self.source.read(window)

    def _assemble(self, window: Window, inside: Window, here: Place) -> Pixels:
        data = np.zeros((self.bands, window.height, window.width), dtype=self.dtype)
        made = _Frame(window, Pixels(data=data, valid=np.zeros(data.shape[1:], dtype=bool)))
        todo, decoded = {unit: self._need(unit, here) for unit in self._units(inside)}, 0
        while todo:
            claim = self._held.claim(todo)
            while claim.found:
                unit, pixels = claim.found.popitem()
                made.paste(self._window(unit), pixels)
            decoded += self._decode({unit: todo[unit] for unit in claim.mine}, made)
            todo = {unit: todo[unit] for unit, waiting in claim.others.items() if not self._taken(unit, todo[unit], waiting, made)}
        return Pixels(data=data, valid=made.pixels.valid, causes=made.causes, decoded=decoded)

    def _decode(self, units: dict[Unit, Need], made: _Frame) -> int:
        """Read units that nobody has, several at once where they are adjacent; how many pixels that decoded."""
        most = self.sharing.decoding // (self.sharing.unit[0] * self.sharing.unit[1])
        decoded = 0
        with self._delivered(units) as open_units:
            for rows, cols in rectangles(units, most):
                where = window_of(self.sharing.unit, rows, cols, self.layout)
                pixels = self.source.read(where)
                decoded += pixels.decoded
                made.paste(where, pixels)
                for unit in product(range(rows.start, rows.stop), range(cols.start, cols.stop)):
                    part = _part(pixels, where, self._window(unit), copied=units[unit].left > 0)
                    self._held.deliver(unit, part, units[unit])
                    open_units.discard(unit)
        return decoded

    def _taken(self, unit: Unit, need: Need, waiting: Future[Pixels], made: _Frame) -> bool:
        """Whether somebody else has decoded a unit for this frame as well."""
        try:
            made.paste(self._window(unit), waiting.result())
        except ReadError:
            return False
        self._held.used(unit, need)
        return True

    @contextmanager
    def _delivered(self, units: Iterable[Unit]) -> Iterator[set[Unit]]:
        """Whatever happens, nobody waits for a unit for ever."""
        left = set(units)
        try:
            yield left
        finally:
            self._held.abandon(left)

    def _units(self, window: Window) -> Iterator[Unit]:
        rows, cols = (range(span.start // unit, -(-span.stop // unit)) for span, unit in zip((window.rows, window.cols), self.sharing.unit, strict=True))
        return product(rows, cols) if window.pixels else iter(())

    def _window(self, unit: Unit) -> Window:
        return window_of(self.sharing.unit, Span(unit[0], unit[0] + 1), Span(unit[1], unit[1] + 1), self.layout)

    def _place(self, window: Window) -> Place:
        """The block whose frame a window is, or is a part of."""
        rows, cols = self._hulls
        col = cols.block(window.col)
        return self.layout.swath_of(col), rows.block(window.row), col

    def _need(self, unit: Unit, here: Place) -> Need:
        """Blocks of the same swath that read a unit as well."""
        swath, row, col = here
        rows, cols = self._hulls
        down = rows.users(unit[0] * self.sharing.unit[0])
        across = cols.users(unit[1] * self.sharing.unit[1], self.layout.swath(swath))
        following = (swath, row, col + 1) if col + 1 < across.stop else (swath, row + 1, across.start) if row + 1 < down.stop else here
        return Need(down.size * across.size - 1, following, (swath, down.stop - 1, across.stop - 1))

    @property
    def _hulls(self) -> tuple[Hulls, Hulls]:
        return rows_and_cols(self.layout, self.sharing.unit)


@dataclass(slots=True)
class _Frame:
    """A window that is put together."""

    window: Window
    pixels: Pixels
    causes: npt.NDArray[np.uint8] | None = None
    """Made where the first part has any."""

    def paste(self, where: Window, pixels: Pixels) -> None:
        """Take over what a window has in common with this one."""
        both = where.meet(self.window)
        to, of = both.within(self.window), both.within(where)
        self.pixels.data[(slice(None), *to)] = pixels.data[(slice(None), *of)]
        self.pixels.valid[to] = pixels.valid[of]
        if pixels.causes is not None:
            if self.causes is None:
                self.causes = np.zeros(self.pixels.valid.shape, np.uint8)
            self.causes[to] = pixels.causes[of]


def _part(pixels: Pixels, of: Window, window: Window, copied: bool) -> Pixels:
    where = window.within(of)
    data, valid = pixels.data[(slice(None), *where)], pixels.valid[where]
    causes = None if pixels.causes is None or valid.all() else pixels.causes[where]
    if copied:
        data, valid, causes = data.copy(), valid.copy(), None if causes is None else causes.copy()
    return Pixels(data=data, valid=valid, causes=causes)
