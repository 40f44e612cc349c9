"""Connected components within one block, numbered by their first pixel."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.objects.mask import Codes

Connectivity = Literal[4, 8]
Labels = npt.NDArray[np.integer[Any]]
"""(rows, cols): 0 is nodata, 1 to n are components in the order of their first pixels, row by row."""


def label_block(codes: Codes, nodata: int, connectivity: Connectivity) -> tuple[Labels, int]:
    """Label the components of equal class.

    Parameters
    ----------
    codes
        (rows, cols) of the block.
    nodata
        The code that is no class.
    connectivity
        4: pixels touch by edges; 8: by corners too.

    Returns
    -------
    Labels, int
        The labels, and their number.
    """
    # both libraries take 0 for background: the difference, which wraps around, is 0 for nodata alone
    shifted = np.ascontiguousarray(codes - np.asarray(nodata, dtype=codes.dtype))
    labels, count = _labeller()(shifted, connectivity)
    return _in_raster_order(labels, count), count


_Labeller = Callable[[Codes, Connectivity], tuple[Labels, int]]


@functools.cache
def _labeller() -> _Labeller:
    return label_by_cc3d if importlib.util.find_spec("cc3d") else label_by_skimage


def label_by_skimage(codes: Codes, connectivity: Connectivity) -> tuple[Labels, int]:
    """Label by scikit-image, which the package always has; 0 is background."""
    from skimage.measure import label

    labels, count = label(codes, background=0, return_num=True, connectivity=1 if connectivity == 4 else 2)
    return labels, int(count)


def label_by_cc3d(codes: Codes, connectivity: Connectivity) -> tuple[Labels, int]:
    """Label by connected-components-3d of the extra ``objects``, which is several times as fast; 0 is background."""
    labels, count = importlib.import_module("cc3d").connected_components(
        codes, connectivity=connectivity, return_N=True
    )
    return labels, int(count)


def _in_raster_order(labels: Labels, count: int) -> Labels:
    """The same labels, numbered by their first pixels."""
    flat = labels.ravel()
    first = np.zeros(count + 1, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    first[flat[starts[::-1]]] = starts[::-1]  # of several values for one index, the last stays
    order = np.argsort(first[1:], kind="stable")
    if (order == np.arange(count)).all():
        return labels
    numbers = np.zeros(count + 1, dtype=labels.dtype)
    numbers[order + 1] = np.arange(1, count + 1)
    return np.asarray(numbers[labels])
