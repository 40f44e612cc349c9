"""One block through the network: tile by tile, blended where tiles overlap, decoded on the device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError, Unfinished
from pipeline.plan.layout import Layout, Tile
from pipeline.protocols import Network
from pipeline.raster.window import Window, bounds
from pipeline.stages import layers
from pipeline.stages.blend import blend
from pipeline.stages.device import rounding
from pipeline.stages.forward import Forward, out_of_memory
from pipeline.stages.recipe import Block, Recipe
from pipeline.tapers import KINDS as TAPERS
from pipeline.timing.clock import stage

Arrays = dict[str, npt.NDArray[Any]]
STOP = threading.Event()
"""Set when the run is to end; looked at between tiles."""


@contextmanager
def stopping() -> Iterator[None]:
    """Whatever ends a run early also ends the tiles that are under way."""
    STOP.clear()
    try:
        yield
    except BaseException:
        STOP.set()
        raise


class Inference:
    """A network with its recipe, on its device."""

    def __init__(self, network: Network, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._device = device
        self._forward = Forward(
            network=network, device=device, normalisation=recipe.normalisation, decoding=recipe.decoding,
            probabilities=recipe.averages_probabilities, augment=recipe.augment, batch=recipe.batch,
        )  # fmt: skip

    @property
    def network(self) -> Network:
        """What infers."""
        return self._forward.network

    def __call__(self, block: Block, layout: Layout) -> tuple[Arrays, int]:
        """Infer one block; on out-of-memory with tiles of half the size, or half as many at once.

        Returns
        -------
        tuple
            The layers, each ([classes,] rows, cols) of the block, and how often the tiles were halved.
        """
        forward, halvings = self._forward, 0
        while True:
            try:
                with rounding(self._recipe.precision, self._recipe.threads, self._device):
                    return self._layers(forward, block, layout), halvings
            except Exception as error:
                if not out_of_memory(error):
                    raise
                smaller = _halved(forward, layout)
                if smaller is None:
                    raise InferenceError(f"{self._device} is out of memory even for the smallest tiles; free some, or give another execution.device") from error
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            (forward, layout), halvings = smaller, halvings + 1

    def logits(self, block: Block, layout: Layout, part: Window) -> npt.NDArray[np.float32] | None:
        """What is decoded in a part of a block, just as a run has it.

        Returns
        -------
        array or None
            (classes, rows, cols) float32 of logits, or probabilities where those are averaged; NaN where no pixel is wanted.
            None where none is.
        """
        found: npt.NDArray[np.float32] | None = None
        wanted = block.wanted[part.within(block.window)]
        with rounding(self._recipe.precision, self._recipe.threads, self._device):
            for window, logits in self._parts(self._forward, block, layout, part):
                if found is None:
                    found = np.full((len(logits), part.height, part.width), np.nan, dtype=np.float32)
                where = window.within(part)
                np.copyto(found[(slice(None), *where)], logits.cpu().numpy(), where=wanted[where])
        return found

    def decoded(self, logits: npt.NDArray[np.float32]) -> Arrays:
        """The layers that a run makes of what `logits` gave; anything where no pixel is wanted."""
        return layers.decoded(torch.from_numpy(np.nan_to_num(logits)).to(self._device), self._recipe.arrives, self._recipe)

    def _layers(self, forward: Forward, block: Block, layout: Layout) -> Arrays:
        arrays, wanted = layers.empty(block.window, self._recipe), block.wanted
        for window, logits in self._parts(forward, block, layout, block.window):
            where = window.within(block.window)
            with stage("decode"):
                for name, values in layers.decoded(logits, self._recipe.arrives, self._recipe).items():
                    np.copyto(arrays[name][(..., *where)], values, where=wanted[where])
        return arrays

    def _parts(self, forward: Forward, block: Block, layout: Layout, part: Window) -> Iterator[tuple[Window, torch.Tensor]]:
        wanted = block.wanted
        inside = bounds(wanted, block.window)
        if inside is None:
            return
        answered = forward(block.pixels, block.frame, _tiles(block, layout, inside, part, wanted))
        whole = ((tile.keep, logits) for tile, logits in answered)
        parts = blend(answered, layout, inside.meet(part), TAPERS[self._recipe.taper]) if layout.blended else whole
        for window, logits in parts:
            _check_finite(logits, wanted[window.within(block.window)], window)
            yield window, logits


def _tiles(block: Block, layout: Layout, inside: Window, part: Window, wanted: npt.NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles of the rectangle that holds all wanted pixels, as far as they keep any of a part; the run may be stopped before each."""
    for tile in layout.tiles(block.index, inside, block.part):
        if STOP.is_set():
            raise Unfinished("The run was asked to stop.")
        keep = tile.keep.meet(part)
        if keep.pixels and wanted[keep.within(block.window)].any():
            yield replace(tile, keep=keep)


def _halved(forward: Forward, layout: Layout) -> tuple[Forward, Layout] | None:
    """What needs about half the memory for the same labels up to ties, or None."""
    if forward.batch > 1:
        return replace(forward, batch=forward.batch // 2), layout
    smaller = layout.halved()
    return None if smaller is None else (forward, smaller)


def _check_finite(logits: torch.Tensor, wanted: npt.NDArray[np.bool_], keep: Window) -> None:
    """A network that overflows must not be given a class."""
    if torch.isfinite(logits.sum()):
        return
    bad = ~torch.isfinite(logits).all(0).cpu().numpy() & wanted
    if bad.any():
        raise InferenceError(f"the network returned NaN or infinity at {int(bad.sum())} valid pixels of {keep}")
