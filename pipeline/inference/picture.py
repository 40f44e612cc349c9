"""A block's part of the reduced picture of the source, from the pixels that were read for the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.inference.recipe import Block
from pipeline.locations import Place
from pipeline.store.files import files_at, upload_checksums
from pipeline.store.ledger import chunk_keys
from pipeline.store.lifecycle import main_layer_of, open_layer
from pipeline.store.picture_spec import PictureSpec, picture_layer

STRIP_PX = 2**20
"""Pixels of a band that are added up at once, about: the plan knows of no buffer for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePart:
    """What a block adds to the picture."""

    spec: PictureSpec
    block: Block

    def write(self, store: Place) -> None:
        """Write the chunks that lie in the block, whole, and make them durable.

        They are in no commit record: a store is whole without them.
        """
        layer = picture_layer(main_layer_of(store))
        array, scale = open_layer(store, 0, layer), self.spec.scale
        for window in self._chunks():
            row, col = window.row // scale, window.col // scale
            means = np.concatenate([self._means(strip) for strip in self._strips(window)], axis=1)
            array[:, row : row + means.shape[1], col : col + means.shape[2]] = means
        keys = list(chunk_keys(store, 0, layer, self._in_picture()))
        files = files_at(store)
        files.sync(key for key in keys if files.exists(key))
        for key in keys:
            upload_checksums.pop(store, key)

    def _chunks(self) -> Iterator[Window]:
        """Windows of the raster, each the pixels of the block that one chunk stands for."""
        window, side = self.block.window, self.spec.chunk * self.spec.scale
        for row in range(window.rows.start, window.rows.stop, side):
            for col in range(window.cols.start, window.cols.stop, side):
                height, width = min(side, window.rows.stop - row), min(side, window.cols.stop - col)
                yield Window(row=row, col=col, height=height, width=width)

    def _strips(self, window: Window) -> Iterator[Window]:
        """A window by whole rows of squares, so that little is copied at a time."""
        height = max(STRIP_PX // window.width // self.spec.scale, 1) * self.spec.scale
        for row in range(window.rows.start, window.rows.stop, height):
            left = window.rows.stop - row
            yield Window(row=row, col=window.col, height=min(height, left), width=window.width)

    def _in_picture(self) -> Window:
        window, scale = self.block.window, self.spec.scale
        height, width = -(-window.height // scale), -(-window.width // scale)
        return Window(row=window.row // scale, col=window.col // scale, height=height, width=width)

    def _means(self, window: Window) -> npt.NDArray[Any]:
        """(planes, rows, cols) of a window; what was not read of it is invalid."""
        frame, pixels = self.block.frame, self.block.pixels
        read = window.intersect(frame)
        rows, cols = read.index_in(frame)
        bands, valid = [pixels.data[band, rows, cols] for band in self.spec.bands], pixels.valid[rows, cols]
        if read != window:
            where = read.index_in(window)
            bands, valid = [_within(band, window, where) for band in bands], _within(valid, window, where)
        return means_of_squares(bands, valid, self.spec)


def means_of_squares(
    bands: list[npt.NDArray[Any]], valid: npt.NDArray[np.bool_], spec: PictureSpec
) -> npt.NDArray[Any]:
    """The mean of the valid pixels of each square, and the percentage that is valid.

    Parameters
    ----------
    bands
        (rows, cols) each.
    valid
        (rows, cols).
    spec
        Side of the squares, px; those at the far edges are cut off. And the dtype of what is returned.

    Returns
    -------
    array
        (bands + 1, rows, cols); means are rounded in integers, percentages are rounded up, 0 only where none is valid.
    """
    scale, rows, cols = spec.scale, *valid.shape
    result = np.zeros((len(bands) + 1, -(-rows // scale), -(-cols // scale)), spec.dtype)
    every = bool(valid.all())
    heights, widths = (np.minimum(scale, length - np.arange(0, length, scale)) for length in (rows, cols))
    full = np.outer(heights, widths)
    count = full if every else _sums(valid, scale)
    for k, band in enumerate(bands):
        sums = _sums(band if every else np.where(valid, band, band.dtype.type(0)), scale)
        means = sums / np.maximum(count, 1)
        result[k] = np.rint(means) if result.dtype.kind in "iu" else means
    result[-1] = -(-100 * count // full)
    return result


def _sums(plane: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
    """(rows, cols) sums of squares, exact for integers of up to 16 bits."""
    if scale == 1:
        return plane.astype(np.int64) if plane.dtype.kind == "b" else plane
    narrow = plane.dtype.kind in "iub" and plane.dtype.itemsize <= 2
    first, then = (np.int32 if plane.dtype.kind == "i" else np.uint32, np.int64) if narrow else (np.float64, np.float64)
    return _sums_along(_sums_along(plane, scale, 0, first), scale, 1, then)


def _sums_along(plane: npt.NDArray[Any], scale: int, axis: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Sums of so many neighbours along an axis, fewer at its end: added plane by plane, which needs no inner loop."""
    lines = np.moveaxis(plane, axis, 0)
    sums = lines[::scale].astype(dtype)
    for first in range(1, min(scale, len(lines))):
        line = lines[first::scale]
        sums[: len(line)] += line
    return np.moveaxis(sums, 0, axis)


def _within(part: npt.NDArray[Any], window: Window, where: tuple[slice, slice]) -> npt.NDArray[Any]:
    """(rows, cols) of a window of which only a part is known; 0 elsewhere."""
    whole = np.zeros((window.height, window.width), part.dtype)
    whole[where] = part
    return whole
