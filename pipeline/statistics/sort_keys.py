"""Numbers as unsigned integers that sort as they do, so that order statistics are found by counting bits.

Signed integers have their sign bit turned. Of floats, negative ones have all bits turned and others the sign bit
alone (Herf, *Radix Tricks*, 2001).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.unsignedinteger[Any]]


def sort_keys(values: npt.NDArray[Any]) -> Keys:
    """Unsigned integers of the same size as the values, in the same order; values are finite."""
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    if values.dtype.kind == "u":
        return values
    bits, top = values.view(unsigned), unsigned.type(1 << (8 * unsigned.itemsize - 1))
    if values.dtype.kind == "i":
        return np.asarray(bits ^ top)
    signs = (values.view(f"i{unsigned.itemsize}") >> (8 * unsigned.itemsize - 1)).view(unsigned)
    signs |= top
    signs ^= bits
    return np.asarray(signs)


def key_value(key: int, dtype: np.dtype[Any]) -> float | int:
    """The value of a key."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    top, ones = 1 << (8 * unsigned.itemsize - 1), (1 << 8 * unsigned.itemsize) - 1
    if dtype.kind == "u":
        return key
    bits = key ^ top if dtype.kind == "i" or key & top else key ^ ones
    return np.array([bits], unsigned).view(dtype)[0].item()  # type: ignore[no-any-return]
