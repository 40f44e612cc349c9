"""Whether a function of images is one of their pixels.

Tried on made-up images, whose pixels are changed, moved and cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

RANGES = ((1e-3, 1.0), (1.0, 255.0), (1.0, 1e4), (1.0, 65535.0))
"""Of raw values: reflectances, 8 bits, scaled reflectances, 16 bits.

None is 0 or below, where a logarithm has no value.
"""

Dtype = np.dtype[Any]
TRIAL_SHAPES = ((48, 40), (1, 1), (5, 17))
"""Rows and columns of tiles, px."""
RELATIVE_TOLERANCE = 1e-5
"""Of the largest value: the last bits change with a pixel's place in a vector of the processor."""

PixelFunction = Callable[[torch.Tensor], torch.Tensor]


class PixelwiseError(Exception):
    """What a function does that one of pixels does not, in words that follow its name."""


def channels(function: PixelFunction, bands: int, dtype: Dtype) -> int:
    """Bands of what a function of pixels returns.

    Parameters
    ----------
    function
        (bands, rows, cols) float32 → (channels, rows, cols), floating.
    bands
        Of the images that it is given.
    dtype
        That they have in their file: whole numbers, and none that it cannot hold.

    Raises
    ------
    Fault
        It returns something else, returns another thing each time, or a pixel depends on others or on its place.
    """
    counts = {len(_returned(function, image)) for shape in TRIAL_SHAPES for image in _images(bands, shape, dtype)}
    if len(counts) > 1:
        raise PixelwiseError(
            f"returns {' or '.join(map(str, sorted(counts)))} channels, by the size or the values of the image"
        )
    for image in _images(bands, TRIAL_SHAPES[0], dtype):
        _check_repeats(function, image)
        _check_neighbours(function, image)
        _check_place(function, image)
    return counts.pop()


def form(value: object) -> str:
    """What a value is, in words: the shape and dtype of a tensor, else its type."""
    return (
        f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        if isinstance(value, torch.Tensor)
        else type(value).__name__
    )


def _images(bands: int, shape: tuple[int, int], dtype: Dtype) -> list[torch.Tensor]:
    """(bands, rows, cols) float32 in each range that a dtype has, evenly by their logarithm."""
    generator, whole = torch.Generator().manual_seed(0), np.issubdtype(dtype, np.integer)
    ranges = [(low, high) for low, high in RANGES if not whole or (low >= 1 and high <= np.iinfo(dtype).max)] or [
        (1.0, float(np.iinfo(dtype).max))
    ]
    images = [low * (high / low) ** torch.rand((bands, *shape), generator=generator) for low, high in ranges]
    return [image.round() if whole else image for image in images]


def _returned(function: PixelFunction, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        returned = function(image.clone())
    if not isinstance(returned, torch.Tensor) or not returned.is_floating_point():
        raise PixelwiseError(f"returns {form(returned)} for {form(image)}, which is no tensor of floating numbers")
    if returned.ndim != 3 or returned.shape[1:] != image.shape[1:] or not len(returned):
        raise PixelwiseError(
            f"returns {form(returned)} for {form(image)}, which has other rows and columns or no bands"
        )
    return returned.to(device="cpu", dtype=torch.float32, copy=True)


def _check_repeats(function: PixelFunction, image: torch.Tensor) -> None:
    """The same image gives the same pixels, also after another image."""
    first = _returned(function, image)
    _returned(function, image.flip(1))
    if not torch.equal(first.nan_to_num(), _returned(function, image).nan_to_num()):
        raise PixelwiseError("returns other values for the same image each time")


def _check_neighbours(function: PixelFunction, image: torch.Tensor) -> None:
    """A pixel stays as it is, whatever the others become: one of them, half of them, or all."""
    first = _returned(function, image)
    height, width = image.shape[1:]
    masks = torch.zeros((3, height, width), dtype=torch.bool)
    masks[0], masks[1, :, : width // 2], masks[2, height // 2, width // 2] = True, True, True
    masks[0, height // 3, width // 3] = False
    for mask in masks:
        for replacement in (
            image.flip(2),
            torch.full_like(image, float(image.max())),
            torch.full_like(image, float(image.min())),
        ):
            changed = torch.where(mask, image, replacement)
            if not _is_close(_returned(function, changed)[:, mask], first[:, mask], first):
                raise PixelwiseError(
                    f"is not per pixel: of {height}×{width} px, some changed where only "
                    f"{int((~mask).sum()):,} others were given other values"
                )


def _check_place(function: PixelFunction, image: torch.Tensor) -> None:
    """A pixel stays as it is, wherever it lies and however large the image is."""
    first = _returned(function, image)
    if not _is_close(_returned(function, image.roll((7, 3), (1, 2))), first.roll((7, 3), (1, 2)), first):
        raise PixelwiseError("is not per pixel: the same pixel at another row and column gives another value")
    if not _is_close(_returned(function, image[:, 5:22, 3:34].contiguous()), first[:, 5:22, 3:34], first):
        raise PixelwiseError("is not per pixel: the same pixel in a smaller image gives another value")


def _is_close(actual: torch.Tensor, expected: torch.Tensor, reference: torch.Tensor) -> bool:
    largest = float(reference[reference.isfinite()].abs().max()) if reference.isfinite().any() else 0.0
    return torch.allclose(
        actual, expected, rtol=RELATIVE_TOLERANCE, atol=RELATIVE_TOLERANCE * largest * 0.1, equal_nan=True
    )
