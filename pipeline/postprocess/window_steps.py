"""Steps by square windows around each pixel: majority, opening and closing. Nodata is passed over everywhere.

|hhhh|cccccccccccc|hhhh|      read: a block c with a halo h, beyond the raster nodata
|cccccccccccc|           right: as far from the edges of what was read as the step looks
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.objects.mask import Codes, Mask, MaskBlocks
from pipeline.postprocess.steps import WindowStep

HALO = 128
"""Halo up to which classes are opened or closed in one pass, px: the next class looks further than the one before."""

Flags = npt.NDArray[np.bool_]


def passes(step: WindowStep) -> list[WindowStep]:
    """A step as steps that follow each other, so that none has to look far beyond its blocks."""
    if step.operation == "majority":
        return [step]
    size = max(HALO // (2 * step.radius), 1)
    return [replace(step, codes=step.codes[start : start + size]) for start in range(0, len(step.codes), size)]


def halo_of(step: WindowStep) -> int:
    """How far a step looks, px: an opening or a closing erodes and dilates, each class after the one before."""
    return step.radius if step.operation == "majority" else 2 * step.radius * len(step.codes)


def window_windows(step: WindowStep, blocks: MaskBlocks) -> Iterator[tuple[Window, Codes]]:
    """What one pass makes of a mask, block by block: each block's window, and its (rows, cols) codes."""
    halo = halo_of(step)
    for row, cols in blocks.rows():
        for col in cols:
            window = blocks.window((row, col))
            wide = Window.of(window.rows.grow(halo), window.cols.grow(halo))
            yield window, change_codes(step, read_padded(blocks.mask, wide), blocks.mask.nodata)[window.index_in(wide)]


def read_padded(mask: Mask, window: Window) -> Codes:
    """(rows, cols) codes of a window that may reach beyond the mask, where it is nodata."""
    inside = window.clip(mask.height, mask.width)
    if inside == window:
        return mask.read(window)
    read = mask.read(inside)
    codes = np.full((window.height, window.width), mask.nodata, dtype=read.dtype)
    codes[inside.index_in(window)] = read
    return codes


def change_codes(step: WindowStep, codes: Codes, nodata: int) -> Codes:
    """A step on an array as a whole.

    Parameters
    ----------
    step
        What is done.
    codes
        (rows, cols); beyond it is nodata.
    nodata
        The code that is no class.

    Returns
    -------
    ndarray
        (rows, cols), another array.
    """
    if step.operation == "majority":
        return majority(codes, nodata, step.radius)
    result = codes.copy()
    for code in step.codes:
        inside = result == code
        if not inside.any():
            continue
        valid = result != nodata
        if step.operation == "open":
            result[inside & ~opening(inside, valid, step.radius)] = step.background
        else:
            result[closing(inside, valid, step.radius)] = code
    return result


def majority(codes: Codes, nodata: int, radius: int) -> Codes:
    """The class of most valid pixels in a square window around each pixel; ties keep the pixel's class."""
    valid = codes != nodata
    most, tied, winner = np.zeros(codes.shape, dtype=np.int32), np.zeros(codes.shape, dtype=bool), codes.copy()
    for code in np.unique(codes[valid]):
        count = _count(codes == code, radius)
        more = count > most
        tied = ~more & (tied | (count == most))
        winner[more] = code
        np.maximum(most, count, out=most)
    return np.where(valid & ~tied, winner, codes)


def opening(inside: Flags, valid: Flags, radius: int) -> Flags:
    """The pixels of a class that squares around its own pixels cover whose valid pixels are all of the class.

    Erosion, then dilation (Serra, Image Analysis and Mathematical Morphology, 1982).
    """
    eroded = inside & ~_dilated(valid & ~inside, radius)
    return inside & _dilated(eroded, radius)


def closing(inside: Flags, valid: Flags, radius: int) -> Flags:
    """The valid pixels that no square of valid pixels beyond the reach of a class covers: dilation, then erosion."""
    dilated = valid & _dilated(inside, radius)
    return dilated & ~_dilated(valid & ~dilated, radius)


def _dilated(flags: Flags, radius: int) -> Flags:
    """Whether any pixel in a square window around each pixel is set."""
    from scipy.ndimage import maximum_filter1d

    result: npt.NDArray[np.uint8] = flags.view(np.uint8)
    for axis in (0, 1):
        result = maximum_filter1d(result, 2 * radius + 1, axis=axis, mode="constant", cval=0)
    return result.view(np.bool_)


def _count(flags: Flags, radius: int) -> npt.NDArray[Any]:
    """Pixels that are set in a square window around each pixel."""
    side = 2 * radius + 1
    counts: npt.NDArray[Any] = np.pad(flags, radius).astype(np.uint16 if side**2 < 2**16 else np.int32)
    return _run_sums(_run_sums(counts, side).T, side).T


def _run_sums(values: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Sums of so many rows each, from every row on: sums of 1, 2, 4 … rows, put together by the bits of the length."""
    count = len(values) - length + 1
    sums, start, size, power = np.zeros((count, *values.shape[1:]), dtype=values.dtype), 0, 1, values
    while size <= length:
        if length & size:
            sums += power[start : start + count]
            start += size
        if 2 * size <= length:
            power = power[:-size] + power[size:]
        size *= 2
    return sums
