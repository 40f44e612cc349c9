"""One forward pass over a window and what lies around it, within the memory of the job.

::

    |cccc|wwwwwwwwwwww|cccc|      w is shown, c is context: read, seen by the network, and not shown

The frame begins on a multiple of the stride, as tiles do, so that a run gives the same labels wherever the context is
as wide as the network's radius.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError, ModelError, PlanError, ReadError, SourceError
from pipeline.geometry.blocks import Tile
from pipeline.geometry.span import round_down, round_up
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.inference import layers
from pipeline.inference.fill_invalid import fill_invalid
from pipeline.inference.forward import Forward
from pipeline.inference.parts import require_finite
from pipeline.inference.read import read_with_retries
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Pixels
from pipeline.planning import edges
from pipeline.planning.load_network import LoadedNetwork
from pipeline.runtime.device import fixed_numerics, out_of_memory, run_on_device_thread
from pipeline.runtime.transfer.base import Arrays

CONTEXT = 256
"""Px around the window that the network sees, where no earlier plan measured its radius."""
SIDE = 512
"""Of the window, px, unless it is asked for."""
LEAST_SIDE = 32
"""Below it a window that was not asked for is no longer made smaller, px."""
BYTES_PER_CHANNEL = 16
"""Of arrays beside the network, per pixel and channel of the image or of the answer: copies of both in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Lengths of one pass, px."""

    side: int
    """Of the window."""
    context: int
    """On each side of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPixels:
    """What was read for one pass."""

    window: Window
    frame: Window
    """The window with its context: what the network sees."""
    pixels: Pixels
    """Of the frame."""
    requested: npt.NDArray[np.bool_]
    """(rows, cols) of the window: valid pixels that are asked for and that a run gives a class."""

    @property
    def raw(self) -> npt.NDArray[np.generic]:
        """(bands, rows, cols) of the window."""
        return self.pixels.data[(slice(None), *self.window.index_in(self.frame))]

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(rows, cols) of the window."""
        return self.pixels.valid[self.window.index_in(self.frame)]


def choose_extent(loaded: LoadedNetwork, side: int | None, classes: int) -> Extent:
    """The largest context, and then the largest window, of which one pass fits the memory.

    Parameters
    ----------
    loaded
        The network before its raster.
    side
        Of the window, px, where one is asked for: it is not made smaller.
    classes
        Rows of the class table.

    Raises
    ------
    PlanError
        No window fits, or not the one that is asked for.
    ModelError
        The network takes no image that is as large as the window asked for.
    """
    largest = loaded.network.accepts.maximum
    sides = [extent for extent in _extents(loaded, side) if largest is None or _length(loaded, extent) <= largest]
    if not sides:
        raise ModelError(
            f"--size is {side} px, but the network takes images of at most {largest} px, of which a window of "
            f"{_largest_side(loaded)} px can be had. Give that or less."
        )
    return run_on_device_thread(lambda: _first_that_fits(loaded, sides, side, classes))


def read_pixels(loaded: LoadedNetwork, window: Window, extent: Extent) -> WindowPixels:
    """Read a window with its context. Raises SourceError where it cannot be read."""
    grid, area = loaded.source.grid, loaded.area
    frame = _frame(loaded, window, extent)
    try:
        pixels = read_with_retries(loaded.source, frame, loaded.config.execution.retries)
    except ReadError as error:
        raise SourceError(f"{str(error).rstrip('.')}. Mend the file, or choose a window by --at or --pixel.") from error
    requested = pixels.valid[window.index_in(frame)].copy()
    if area is not None:
        requested &= area.read(window)
    margin = edges.without_class(loaded.locality.margin, loaded.config.tile)
    if margin is not None:
        requested &= margin.inside(window, grid.height, grid.width)
    return WindowPixels(window=window, frame=frame, pixels=pixels, requested=requested)


def infer_window(loaded: LoadedNetwork, recipe: Recipe, read: WindowPixels) -> Arrays:
    """The layers of a recipe, each ([channels,] rows, cols) of the window, as a run makes them.

    Raises
    ------
    ModelError
        The network fails on the frame, or gives a valid pixel NaN or infinity.
    PlanError
        The device has no memory for it.
    """
    if not read.requested.any():
        return layers.filled(read.window, recipe)
    try:
        arrays = run_on_device_thread(lambda: _inferred(loaded, recipe, read))
    except InferenceError as error:
        raise ModelError(
            f"On {read.window}, {error}. Check model.input and what the network takes; `wholecloth inspect` says more."
        ) from error
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise PlanError(
            f"{loaded.device} has no memory for one pass over {read.frame.height} × {read.frame.width} px. Give a "
            f"smaller --size, or set execution.device to cpu."
        ) from error
    fill_invalid(arrays, read.requested, recipe)
    return arrays


def _inferred(loaded: LoadedNetwork, recipe: Recipe, read: WindowPixels) -> Arrays:
    forward = Forward(
        network=loaded.network,
        device=loaded.device,
        normalisation=recipe.normalisation,
        decoding=recipe.decoding,
        probabilities=recipe.averages_probabilities,
        augment=recipe.augment,
        batch=1,
    )
    tile = Tile(read=read.frame, keep=read.window)
    with fixed_numerics(recipe.precision, recipe.threads, loaded.device):
        ((_, logits),) = forward(read.pixels, read.frame, [tile])
        require_finite(logits, read.requested, read.window)
        return layers.decoded(logits, recipe.decoding_after_blend, recipe)


def _extents(loaded: LoadedNetwork, side: int | None) -> Iterator[Extent]:
    """What is tried, from the best: less context first, then a smaller window where none is asked for."""
    least, context = _least_context(loaded), _full_context(loaded)
    longest = max(loaded.source.grid.height, loaded.source.grid.width)
    wanted = min(side or SIDE, longest) if _fixed(loaded) is None else min(side or SIDE, _largest_side(loaded))
    if side is not None and wanted < min(side, longest):
        return
    sides = [wanted] if side is not None else _halvings(wanted, min(LEAST_SIDE, wanted))
    for length in sides:
        for around in [context, *(half for half in _halvings(context // 2, 1) if half > least), least]:
            yield Extent(side=length, context=max(round_down(around, loaded.multiple), least))


def _halvings(length: int, least: int) -> list[int]:
    lengths = []
    while length >= max(least, 1):
        lengths.append(length)
        length //= 2
    return lengths


def _fixed(loaded: LoadedNetwork) -> int | None:
    accepts = loaded.network.accepts
    return accepts.maximum if accepts.minimum == accepts.maximum else None


def _least_context(loaded: LoadedNetwork) -> int:
    """What an unpadded network leaves off, px."""
    margin = loaded.locality.margin
    return 0 if margin is None else round_up(margin.turned(loaded.config.tile.augment).largest, loaded.multiple)


def _full_context(loaded: LoadedNetwork) -> int:
    """The radius where an earlier plan measured it; of a network of one size, what its answer needs."""
    least, radius = _least_context(loaded), loaded.locality.radius
    if _fixed(loaded) is not None:
        return least
    return max(round_up(CONTEXT if radius is None else radius.largest, loaded.multiple), least)


def _largest_side(loaded: LoadedNetwork) -> int:
    """Of a window of a network that takes no larger image, px; what is lost is context, and what alignment may add."""
    largest = loaded.network.accepts.maximum or SIDE
    return max(round_down(largest - 2 * _least_context(loaded) - _alignment(loaded), loaded.multiple), 1)


def _alignment(loaded: LoadedNetwork) -> int:
    """By how much a window may grow where it is aligned outwards to the stride, px."""
    return 0 if loaded.multiple == 1 else loaded.multiple


def _length(loaded: LoadedNetwork, extent: Extent) -> int:
    """Longest frame of an extent, wherever its window lies, px."""
    grid, margin = loaded.source.grid, 2 * _least_context(loaded)
    whole = round_up(max(grid.height, grid.width) + margin, loaded.multiple)
    length = round_up(extent.side, loaded.multiple) + _alignment(loaded) + 2 * extent.context
    minimum = max(loaded.locality.minimum, loaded.network.accepts.minimum)
    return max(min(length, whole), minimum) if _fixed(loaded) is None else minimum


def _first_that_fits(loaded: LoadedNetwork, extents: list[Extent], side: int | None, classes: int) -> Extent:
    channels = loaded.locality.bands
    per_pixel = BYTES_PER_CHANNEL * (loaded.source.bands + channels + loaded.locality.classes + classes)

    def fits(extent: Extent) -> bool:
        length = _length(loaded, extent)
        return loaded.room.fits(loaded.network, _image(loaded, channels, length), per_pixel * length**2)

    smallest = min(extents, key=lambda extent: _length(loaded, extent))
    if fits(smallest):  # the smallest first: it tells what a pixel takes
        return next((extent for extent in extents if fits(extent)), smallest)
    raise PlanError(
        f"One pass over a window of {smallest.side} px does not fit what execution.memory "
        f"({loaded.config.execution.memory}) leaves beside the process and its libraries. "
        f"{'Give a smaller --size, or raise' if side else 'Raise'} execution.memory."
    )


def _image(loaded: LoadedNetwork, channels: int, length: int) -> torch.Tensor:
    return torch.zeros((loaded.network.accepts.batch or 1, channels, length, length), device=loaded.device)


def _frame(loaded: LoadedNetwork, window: Window, extent: Extent) -> Window:
    """The window with its context, aligned to the stride, within what tiles may see."""
    grid, multiple = loaded.source.grid, loaded.multiple
    near, far = edges.aprons(loaded.locality, loaded.config.tile, grid.height, grid.width, multiple)
    minimum = max(loaded.locality.minimum, loaded.network.accepts.minimum)
    spans = []
    for span, length, before, behind in zip(
        (window.rows, window.cols), (grid.height, grid.width), near, far, strict=True
    ):
        axis = HaloTiling(
            length=length,
            multiple=multiple,
            halo=extent.context,
            core=round_up(length, multiple),
            minimum=minimum,
            near=before,
            far=behind,
        )
        spans.append(axis.read_span(span))
    return Window.of(*spans)
