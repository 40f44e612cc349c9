"""Whether a transform of raw pixels gives a number for those that the raster has."""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import InferenceError, ModelError, ReadError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.models.input_transform import TRANSFORM_KEY, Transform

TRIED_WINDOW_SIDE = 64
"""Of a window that is looked at, px."""
SHARES = (0.5, 0.25, 0.75)
"""Where windows lie, as a share of the raster's height and width."""


def check_transform(source: Source, transform: Transform | None) -> None:
    """Try a transform on a few windows of the raster.

    Raises
    ------
    ModelError
        It fails there, or gives a valid pixel NaN or infinity.
    """
    if transform is None:
        return
    for share in SHARES:
        height, width = source.grid.height, source.grid.width
        window = Window(
            row=round(max(height - TRIED_WINDOW_SIDE, 0) * share),
            col=round(max(width - TRIED_WINDOW_SIDE, 0) * share),
            height=min(TRIED_WINDOW_SIDE, height),
            width=min(TRIED_WINDOW_SIDE, width),
        )
        with suppress(ReadError):  # a damaged place is told of by the block that lies there
            _check(transform, source.read(window), window)


def _check(transform: Transform, pixels: Pixels, window: Window) -> None:
    import torch

    raw = torch.from_numpy(pixels.data).to(torch.float32, copy=True)
    try:
        values, valid = transform(raw.clone()), torch.from_numpy(pixels.valid)
    except InferenceError as error:
        raise ModelError(f"{error}. Mend it, for values such as {window} has.") from error
    wrong = valid & ~torch.isfinite(values).all(0)
    if wrong.any():
        row, col = (int(at) for at in wrong.nonzero()[0])
        raise ModelError(
            f"{TRANSFORM_KEY} {transform.place} gives NaN or infinity for {int(wrong.sum()):,} of "
            f"{int(valid.sum()):,} valid pixels in {window}; the first has "
            f"the values {raw[:, row, col].tolist()}. Clip or shift them first (torch.log1p, clamp), or set "
            f"source.nodata where they are no data."
        )
