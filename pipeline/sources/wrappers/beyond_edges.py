"""Windows that reach beyond a raster: what lies outside it is invalid, and 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source


def read_beyond(source: Source, window: Window, read: Callable[[Window], Pixels]) -> Pixels:
    """The pixels of a window anywhere, by a reader of windows inside the raster.

    Parameters
    ----------
    source
        Of which the grid, the number of bands and the dtype are asked.
    window
        May reach beyond the raster, or lie outside it.
    read
        Called once at most, with a window inside the raster.
    """
    inside = window.clip(source.grid.height, source.grid.width)
    if inside == window:
        return read(window)
    data = np.zeros((source.bands, window.height, window.width), dtype=source.dtype)
    valid, causes, decoded = np.zeros((window.height, window.width), dtype=bool), None, 0
    if inside.pixels:
        pixels, where = read(inside), inside.index_in(window)
        data[(slice(None), *where)], valid[where], decoded = pixels.data, pixels.valid, pixels.decoded
        if pixels.causes is not None:
            causes = np.zeros(valid.shape, np.uint8)
            causes[where] = pixels.causes
    return Pixels(data=data, valid=valid, causes=causes, decoded=decoded)
