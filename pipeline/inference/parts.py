"""What a network says of a block, part by part: tile by tile, or blended where tiles overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError, Unfinished
from pipeline.geometry.blocks import Layout, Tile
from pipeline.geometry.window import Window, bounds
from pipeline.inference.blend import blend
from pipeline.inference.forward import Forward
from pipeline.inference.recipe import Block
from pipeline.inference.tapers import Taper
from pipeline.runtime.cancellation import STOP
from pipeline.runtime.transfer.base import Raw


def parts(forward: Forward, taper: Taper, block: Block, layout: Layout, part: Window, raw: Raw | None = None) -> Iterator[tuple[Window, torch.Tensor]]:
    """Logits of what is wanted of a part of a block.

    Parameters
    ----------
    forward
        The network.
    taper
        Weights over an axis of a tile, where tiles are blended.
    block, layout
        Its pixels, and its tiles.
    part
        Within the block, px of the raster.
    raw
        The same pixels on the device, where they were brought there already.

    Yields
    ------
    tuple
        A window of the part, and (classes, rows, cols) float32 on the device, which are overwritten afterwards.

    Raises
    ------
    InferenceError
        The network fails.
    Unfinished
        The run was asked to stop.
    """
    wanted = block.wanted
    inside = bounds(wanted, block.window)
    if inside is None:
        return
    answered = forward(block.pixels, block.frame, _tiles(block, layout, inside, part, wanted), raw)
    if layout.blended:
        yield from blend(answered, layout, inside.meet(part), taper)
    else:
        yield from ((tile.keep, logits) for tile, logits in answered)


def check_finite(logits: torch.Tensor, wanted: npt.NDArray[np.bool_], keep: Window) -> None:
    """A network that overflows must not be given a class. Raises InferenceError."""
    if torch.isfinite(logits.sum()):
        return
    bad = ~torch.isfinite(logits).all(0).cpu().numpy() & wanted
    if bad.any():
        raise InferenceError(f"the network returned NaN or infinity at {int(bad.sum())} valid pixels of {keep}")


def _tiles(block: Block, layout: Layout, inside: Window, part: Window, wanted: npt.NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles of the rectangle that holds all wanted pixels, as far as they keep any of a part; the run may be stopped before each."""
    for tile in layout.tiles(block.index, inside, block.part):
        if STOP.is_set():
            raise Unfinished("The run was asked to stop.")
        keep = tile.keep.meet(part)
        if keep.pixels and wanted[keep.within(block.window)].any():
            yield replace(tile, keep=keep)
