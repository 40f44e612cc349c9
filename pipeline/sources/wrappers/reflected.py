"""Any source, mirrored at the raster's edges.

What lies outside is what lies as far inside, and the outermost pixel is not repeated.

::

    c b|a b c d|c b
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources.wrappers.wrapper import SourceWrapper


@dataclass(frozen=True, kw_only=True)
class Reflected(SourceWrapper):
    """A source that is valid beyond its edges where its mirror image is."""

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is mirrored, with whether it is valid.

        Raises
        ------
        ReadError
            The window cannot be read.
        """
        lengths = self.grid.height, self.grid.width
        if window.clip(*lengths) == window:
            return self.source.read(window)
        rows, cols = (
            _with_images(span, length) for span, length in zip((window.rows, window.cols), lengths, strict=True)
        )
        wide = Window.of(rows, cols)
        pixels = self.source.read(wide)
        for array in (pixels.data, pixels.valid):
            _mirror(array, rows, lengths[0], -2)
            _mirror(array, cols, lengths[1], -1)
        where = window.index_in(wide)
        causes = None if pixels.causes is None else pixels.causes[where]
        return replace(pixels, data=pixels.data[(slice(None), *where)], valid=pixels.valid[where], causes=causes)


def mirrored(at: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Places on an axis of so many px for places anywhere; far outside it is mirrored again and again."""
    period = max(2 * (length - 1), 1)
    folded = at % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(at)


def _with_images(span: Span, length: int) -> Span:
    """A span that also holds the pixels inside the raster of which those outside are images."""
    inside = mirrored(np.arange(span.start, span.stop), length)
    return Span(min(span.start, int(inside.min())), max(span.stop, int(inside.max()) + 1))


def _mirror(array: npt.NDArray[Any], span: Span, length: int, axis: int) -> None:
    """Fill what lies outside the raster along an axis."""
    at = np.arange(span.start, span.stop)
    outside = at[(at < 0) | (at >= length)]
    if len(outside):
        parts = np.moveaxis(array, axis, 0)
        parts[outside - span.start] = parts[mirrored(outside, length) - span.start]
