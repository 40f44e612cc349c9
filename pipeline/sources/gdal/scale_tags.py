"""Scale and offset tags of a file, applied to raw pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.io import DatasetReader


def with_scale_tags(
    raw: Sequence[npt.NDArray[Any]], dataset: DatasetReader, indexes: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """(bands, rows, cols) float32 of the bands of these numbers, counted from 1."""
    scales, offsets = ([np.float32(values[i - 1]) for i in indexes] for values in (dataset.scales, dataset.offsets))
    return np.stack(
        [band.astype(np.float32) * scale + offset for band, scale, offset in zip(raw, scales, offsets, strict=True)]
    )
