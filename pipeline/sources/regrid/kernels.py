"""How far a kernel looks in the source, and which pixels an invalid one spoils.

Where an invalid pixel lies in a kernel is found by bilinear weights, which are never negative, so that nothing cancels.
A wider kernel is a bilinear one around pixels that were grown before.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

RADIUS = {"nearest": 1, "bilinear": 1, "cubic": 2, "lanczos": 3, "average": 1}
"""Pixels of the coarser of source and grid that a kernel looks to each side."""
MASK_KERNEL = {"nearest": "nearest", "average": "average"}
"""By which invalid pixels are brought to the grid, where that is not bilinear."""
ROUNDING_SHARE = 1e-6
"""Share of a pixel's weight that comes of the rounding of places alone."""


def kernel_reach(resampling: str, scale: tuple[float, float]) -> tuple[int, int]:
    """(rows, cols) that a kernel looks to each side, px of the source.

    Parameters
    ----------
    resampling
        A key of `RADIUS`.
    scale
        (x, y) pixels of the grid per pixel of the source.
    """
    return _in_source(RADIUS[resampling], scale)


def reach_beyond_bilinear(resampling: str, scale: tuple[float, float]) -> tuple[int, int]:
    """(rows, cols) that a kernel looks further than a bilinear one, px of the source."""
    return _in_source(RADIUS[resampling] - 1, scale)


def valid_share(scale: tuple[float, float]) -> float:
    """Weight of invalid pixels up to which a pixel is valid: rounding, far below that of one pixel of the source."""
    return ROUNDING_SHARE * min(scale[0], 1.0) * min(scale[1], 1.0)


def _in_source(radius: int, scale: tuple[float, float]) -> tuple[int, int]:
    x, y = scale
    return math.ceil(radius / min(y, 1.0)), math.ceil(radius / min(x, 1.0))


def grown(marks: npt.NDArray[np.bool_], reach: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(rows, cols) marks and what lies within so many rows and columns of one."""
    wider = marks.copy()
    for axis, distance in enumerate(reach):
        rows, covered = np.moveaxis(wider, axis, 0), 0
        while covered < min(distance, len(rows) - 1):
            step = min(covered + 1, distance - covered, len(rows) - 1)
            before = rows.copy()
            rows[step:] |= before[:-step]
            rows[:-step] |= before[step:]
            covered += step
    return wider
