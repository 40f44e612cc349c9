"""The part of a raster that was asked for, drawn over the raster: the rest is washed out, and an outline parts both."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.geometry.packed_mask import PackedMask

_Colours = npt.NDArray[np.uint8]
OUTLINE = (0, 110, 60)
"""Red, green and blue of what parts both: no stain has it."""
WASHED = 0.7
"""Share of white in what was not asked for."""
UNKNOWN_GREY = 150
"""Grey of a raster of which no picture is kept."""


def draw_area(mask: npt.NDArray[np.bool_], image: _Colours | None) -> _Colours:
    """Draw an area.

    Parameters
    ----------
    mask
        (rows, cols) what is asked for.
    image
        (rows, cols, 3) the raster at any size; None where it is not known.

    Returns
    -------
    array
        (rows, cols, 3), of the size of the mask.
    """
    from scipy.ndimage import binary_erosion

    height, width = mask.shape
    if image is None:
        colours = np.full((height, width, 3), UNKNOWN_GREY, np.uint8)
    else:
        colours = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    washed = (colours * (1 - WASHED) + 255 * WASHED).astype(np.uint8)
    drawn = np.where(mask[..., None], colours, washed)
    drawn[mask & ~binary_erosion(mask, border_value=1)] = OUTLINE
    return drawn


def stored_area(meta: Mapping[str, Any]) -> npt.NDArray[np.bool_] | None:
    """What a store says of its area, (rows, cols) at low resolution; None where everything was asked for."""
    if "area" not in meta:
        return None
    return PackedMask.from_dict(meta["area"]).all()


def tissue_image(tissue: Mapping[str, Any] | None) -> _Colours | None:
    """The picture on which tissue was estimated, (rows, cols, 3); None where none is kept."""
    if not tissue or "image" not in tissue:
        return None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(tissue["image"]))).convert("RGB"))
