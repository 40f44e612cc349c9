"""A network that runs outside of torch, on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError
from pipeline.geometry.window import Window
from pipeline.models.cropping.plan import Cropping
from pipeline.models.cropping.regions import Regions
from pipeline.models.loaded import Loaded
from pipeline.models.output import size_error

ImageArray = npt.NDArray[np.float32]
"""(n, bands or classes, rows, cols)."""


class ArrayRun(Protocol):
    """What runs a network on arrays."""

    def __call__(self, image: ImageArray, threads: int, regions: Regions | None = None, /) -> npt.NDArray[Any]:
        """Images on so many threads → scores of each image, (n, classes, rows, cols), at the network's size.

        Of regions of an image those of their output. Raises MemoryError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """A network that a runtime has opened for arrays."""

    run: ArrayRun
    crop: Callable[[Sequence[int]], Cropping] | None = None
    """What it does to an image of a shape, by which parts are computed; None where tiles are computed whole. Raises
    Unsupported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayNetwork:
    """What runs a network, and what is known of it."""

    loaded: Loaded
    """As it was loaded, or as it was recorded when it was loaded before."""
    run: ArrayRun
    cropping: Cropping | None = None
    """By which halos are cropped on their way; None where tiles are computed whole."""

    def identity(self) -> dict[str, Any]:
        """What makes it this network."""
        return self.loaded.identity()

    def __call__(self, image: ImageArray, keep: Window, threads: int) -> ImageArray:
        """The logits of a part of a tile.

        Parameters
        ----------
        image
            (1, bands, rows, cols) float32. A network of a fixed batch is given it as often as that.
        keep
            The part, px of the tile.
        threads
            With which it is computed.

        Returns
        -------
        array
            (classes, keep.height, keep.width) float32.

        Raises
        ------
        MemoryError
            There is no memory for it.
        ModelError
            It returns no scores for each pixel.
        """
        height, width = image.shape[2:]
        regions = None if self.cropping is None else self.cropping.planned(height, width, keep)
        if self.cropping is not None and regions is not None and regions.cut:
            scores = _scores(self.run(image, threads, regions), 1)
            enlarged = _enlarged(scores, self.cropping.factor)
            return np.asarray(enlarged[(0, slice(None), *self.cropping.place(regions.output, keep))])
        batch = self.loaded.accepts.batch or 1
        scores = _scores(self.run(np.repeat(image, batch, axis=0) if batch > 1 else image, threads), batch)
        return np.asarray(_at_size(scores, height, width)[(0, slice(None), *keep.slices)])


def _scores(returned: npt.NDArray[Any], batch: int) -> ImageArray:
    """The scores of the first image of a batch, (1, classes, rows, cols) float32."""
    if returned.ndim != 4 or len(returned) != batch:
        raise ModelError(
            f"The network returned an array of shape {returned.shape} for a batch of {batch}; segmentation needs "
            f"(batch, classes, rows, cols)."
        )
    return returned[:1].astype(np.float32, copy=False)


def _at_size(scores: ImageArray, height: int, width: int) -> ImageArray:
    """Scores at the size of the input, px; raises ModelError where they are not smaller by a whole factor."""
    rows, cols = scores.shape[2:]
    if (rows, cols) == (height, width):
        return scores
    if height % rows or width % cols or height // rows != width // cols:
        raise size_error((rows, cols), (height, width))
    return _enlarged(scores, height // rows)


def _enlarged(scores: ImageArray, factor: int) -> ImageArray:
    """Torch's bilinear with align_corners=False, up to roundings."""
    return scores if factor == 1 else _upsampled(_upsampled(scores, 2, factor), 3, factor)


def _upsampled(values: ImageArray, axis: int, factor: int) -> ImageArray:
    """Linear along an axis whose pixels become so many each."""
    size = values.shape[axis]
    at = np.maximum((np.arange(size * factor) + 0.5) / factor - 0.5, 0)
    first = at.astype(np.intp)
    second = np.minimum(first + 1, size - 1)
    share = (at - first).astype(np.float32).reshape(tuple(-1 if k == axis else 1 for k in range(values.ndim)))
    upsampled = (1 - share) * values.take(first, axis) + share * values.take(second, axis)
    return np.asarray(upsampled, dtype=np.float32)
