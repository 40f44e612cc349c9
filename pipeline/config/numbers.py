"""How the numbers of a network are stored: which dtypes, scales and nodata go together."""

from __future__ import annotations

import math

PerChannel = float | list[float]
INTEGER_LIMITS = {"int16": (-32768, 32767), "int8": (-128, 127)}
"""The smallest and the largest number of each integer dtype of values."""
MASK_LIMITS = (0, 65535)
"""The smallest and the largest nodata of a mask."""


def check_values(
    dtype: str | None, scale: PerChannel | None, offset: PerChannel | None, *, has_mask: bool, nodata: int | None
) -> None:
    """Raise ValueError where the options of the layer ``values`` do not go together.

    Parameters
    ----------
    dtype
        Of the values; None where there is no such layer.
    scale, offset
        What one step and 0 stand for, of integers.
    has_mask
        Whether nodata is that of a mask.
    nodata
        As it is given; None for auto.
    """
    if has_mask:
        if nodata is not None and not MASK_LIMITS[0] <= nodata <= MASK_LIMITS[1]:
            raise ValueError(f"nodata {nodata} fits no mask; give {MASK_LIMITS[0]} to {MASK_LIMITS[1]}, or auto")
    elif dtype not in INTEGER_LIMITS:
        if nodata is not None:
            raise ValueError(f"nodata is {nodata}, but values of {dtype} are NaN where nothing is known; leave it auto")
    elif nodata is not None and not INTEGER_LIMITS[dtype][0] <= nodata <= INTEGER_LIMITS[dtype][1]:
        low, high = INTEGER_LIMITS[dtype]
        raise ValueError(f"nodata {nodata} does not fit values_dtype {dtype}; give {low} to {high}, or auto")
    if dtype is not None:
        _check_factors(dtype, scale, offset)


def _check_factors(dtype: str, scale: PerChannel | None, offset: PerChannel | None) -> None:
    if dtype not in INTEGER_LIMITS:
        if scale is not None or offset is not None:
            raise ValueError(
                f"values_scale and values_offset are for int16 and int8; values of {dtype} are stored as they are"
            )
        return
    if scale is None:
        raise ValueError(
            f"values_dtype {dtype} needs values_scale: what one step stands for, such as 0.01, or one per channel"
        )
    scales, offsets = _listed(scale), _listed(0.0 if offset is None else offset)
    if not all(math.isfinite(value) and value > 0 for value in scales) or not scales:
        raise ValueError(f"values_scale is {scale}; give numbers above 0")
    if not all(map(math.isfinite, offsets)) or not offsets:
        raise ValueError(f"values_offset is {offset}; give finite numbers")


def _listed(value: PerChannel) -> list[float]:
    return value if isinstance(value, list) else [value]
