"""2×2 pixels to one: what overviews are made by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PixelArray = npt.NDArray[Any]

_SUMS: dict[str, Any] = {"uint8": np.uint16, "int8": np.int32, "int16": np.int32, "float16": np.float32}
"""Dtypes in which four pixels are added up, by their own; of all others 64 bits."""

_WIDER: dict[str, Any] = {"uint8": np.uint16, "uint16": np.uint32}
"""Dtypes that hold one number more than others do; of all others 64 bits."""


def mode_2x2(mask: PixelArray, nodata: int) -> PixelArray:
    """Mode of 2×2 valid pixels.

    Parameters
    ----------
    mask
        (rows, cols) codes, or ids of objects, below 2⁶⁴ − 1; odd sizes count as padded with nodata.
    nodata
        Pixels of this value do not vote; where all four have it, so has the result.

    Returns
    -------
    Array
        (⌈rows/2⌉, ⌈cols/2⌉); ties go to the lowest code.
    """
    wide: Any = _WIDER.get(mask.dtype.name, np.uint64)
    last = wide(min(np.iinfo(mask.dtype).max + 1, np.iinfo(wide).max))  # beyond every code: the invalid sort to the end
    a, b, c, d = (np.where(part == nodata, last, part.astype(wide)) for part in _quadrants(mask, nodata))
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    a, c = np.minimum(a, c), np.maximum(a, c)
    b, d = np.minimum(b, d), np.maximum(b, d)
    b, c = np.minimum(b, c), np.maximum(b, c)  # a ≤ b ≤ c ≤ d, the invalid last
    voted = [valid & (low == high) for low, high, valid in ((a, b, b != last), (b, c, c != last), (c, d, d != last))]
    mode = np.select(voted, [a, b, c], a)
    return np.where(mode == last, wide(nodata), mode).astype(mask.dtype)


def mean_2x2(values: PixelArray, valid: npt.NDArray[np.bool_], fill: float) -> PixelArray:
    """Mean of 2×2 valid pixels.

    Parameters
    ----------
    values
        (rows, cols) of uint8, int8, int16 or floats.
    valid
        Pixels that count; odd sizes count as padded with others.
    fill
        Where none counts.

    Returns
    -------
    Array
        (⌈rows/2⌉, ⌈cols/2⌉) of the same dtype; integers are rounded half up, floats are added up in floats twice as
        wide.
    """
    wide = _SUMS.get(values.dtype.name, np.int64 if values.dtype.kind in "iu" else np.float64)
    valid_quadrants = _quadrants(valid, False)
    total = np.sum(
        [
            np.where(is_valid, part, 0).astype(wide)
            for part, is_valid in zip(_quadrants(values, 0), valid_quadrants, strict=True)
        ],
        axis=0,
        dtype=wide,
    )
    number = np.sum(valid_quadrants, axis=0, dtype=wide)
    count = np.maximum(number, 1)
    mean = (2 * total + count) // (2 * count) if values.dtype.kind in "iu" else total / count
    return np.where(number > 0, mean, fill).astype(values.dtype)


def any_2x2(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether any of 2×2 pixels counts: (rows, cols) → (⌈rows/2⌉, ⌈cols/2⌉)."""
    return np.asarray(np.any(_quadrants(valid, False), axis=0))


def _quadrants(values: PixelArray, fill: Any) -> list[PixelArray]:
    """The four pixels of each 2×2, each (⌈rows/2⌉, ⌈cols/2⌉)."""
    rows, cols = values.shape
    if rows % 2 or cols % 2:
        values = np.pad(values, ((0, rows % 2), (0, cols % 2)), constant_values=fill)
    return [values[i::2, j::2] for i in (0, 1) for j in (0, 1)]
