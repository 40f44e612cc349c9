"""What a network says of a block, part by part: tile by tile, or blended where tiles overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.window import Window, bounding_window
from pipeline.inference.blend import blend
from pipeline.inference.failures import nonfinite_failure
from pipeline.inference.forward import Forward
from pipeline.inference.recipe import Block
from pipeline.inference.tapers import Taper
from pipeline.inference.wanted_tiles import wanted_tiles
from pipeline.runtime.transfer.base import DeviceBlock


def block_logits(
    forward: Forward, taper: Taper, block: Block, layout: BlockGrid, part: Window, raw: DeviceBlock | None = None
) -> Iterator[tuple[Window, torch.Tensor]]:
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
    output_mask = block.output_mask
    inside = bounding_window(output_mask, block.window)
    if inside is None:
        return
    outputs = forward(block.pixels, block.frame, wanted_tiles(block, layout, inside, part, output_mask), raw)
    if layout.blended:
        yield from blend(outputs, layout, inside.intersect(part), taper)
    else:
        yield from ((tile.keep, logits) for tile, logits in outputs)


def require_finite(logits: torch.Tensor, output_mask: npt.NDArray[np.bool_], keep: Window) -> None:
    """A network that overflows must not be given a class. Raises InferenceError."""
    if torch.isfinite(logits.sum()):
        return
    bad = ~torch.isfinite(logits).all(0).cpu().numpy() & output_mask
    if bad.any():
        raise nonfinite_failure(int(bad.sum()), keep)
