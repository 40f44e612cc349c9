"""A piece of which some blocks cannot be read: these are invalid, where the config says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from rasterio.errors import RasterioError

from pipeline.errors import ReadError, ReadHangs
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES, Pixels
from pipeline.sources.wrappers.wrapper import SourceWrapper


@dataclass(frozen=True, kw_only=True)
class UnreadableAsNodata(SourceWrapper):
    """A source whose broken blocks are invalid: whole blocks, so that no pixel depends on the window that asks."""

    def read(self, window: Window) -> Pixels:
        """Read a window.

        Raises
        ------
        ReadError
            It cannot be read for another reason than the file itself, such as a lack of memory.
        """
        try:
            return self.source.read(window)
        except ReadError as error:
            _require_broken_file(error)
        data = np.zeros((self.bands, window.height, window.width), self.dtype)
        valid, causes = np.zeros(data.shape[1:], bool), np.zeros(data.shape[1:], np.uint8)
        decoded = 0
        for block in _blocks(window.clip(self.grid.height, self.grid.width), self.block):
            common = block.clip(self.grid.height, self.grid.width).intersect(window)
            to, origin = common.index_in(window), common.index_in(block)
            try:
                part = self.source.read(block)
            except ReadError as error:
                _require_broken_file(error)
                causes[to] = CAUSES.index("unreadable")
                continue
            data[(slice(None), *to)], valid[to] = part.data[(slice(None), *origin)], part.valid[origin]
            decoded += part.decoded
            if part.causes is not None:
                causes[to] = part.causes[origin]
        return Pixels(data=data, valid=valid, causes=causes if causes.any() else None, decoded=decoded)


def _require_broken_file(error: ReadError) -> None:
    """Raise an error again that says nothing of the file."""
    if isinstance(error, ReadHangs) or not isinstance(error.__cause__, RasterioError):
        raise error


def _blocks(window: Window, size: tuple[int, int]) -> Iterator[Window]:
    """The whole blocks of a file that a window touches."""
    if not window.pixels:
        return
    rows, cols = (span.align(side) for span, side in zip((window.rows, window.cols), size, strict=True))
    for row, col in product(range(rows.start, rows.stop, size[0]), range(cols.start, cols.stop, size[1])):
        yield Window(row=row, col=col, height=size[0], width=size[1])
