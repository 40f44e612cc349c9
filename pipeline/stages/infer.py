"""One block through the network: tile by tile, blended where tiles overlap, decoded on the device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError, Unfinished
from pipeline.plan.layout import BlockIndex, Layout, Tile
from pipeline.protocols import Network, Pixels
from pipeline.raster.window import Window
from pipeline.stages import decode
from pipeline.stages.blend import Accumulator
from pipeline.stages.decode import Decoding
from pipeline.stages.device import rounding
from pipeline.stages.normalise import Normalisation, normalise
from pipeline.tapers import KINDS as TAPERS

Arrays = dict[str, npt.NDArray[Any]]
STOP = threading.Event()
"""Set when the run is to end; looked at between tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything beside geometry and weights that decides a pixel of the store."""

    normalisation: Normalisation
    decoding: Decoding
    layers: tuple[str, ...]
    nodata: int
    dtype: str
    """Dtype of the mask: uint8 or uint16."""
    precision: str
    threads: int
    """Intra-op threads."""
    taper: str
    blend: str
    """``logits`` or ``probabilities``: what is averaged where tiles overlap."""
    overlapping: bool
    """Whether tiles are blended."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block's pixels on their way through the network."""

    index: BlockIndex
    window: Window
    frame: Window
    pixels: Pixels


class Inference:
    """A network with its recipe, on its device."""

    def __init__(self, network: Network, recipe: Recipe, device: torch.device) -> None:
        self._network = network
        self._recipe = recipe
        self._device = device

    def __call__(self, block: Block, layout: Layout) -> tuple[Arrays, int]:
        """Infer one block; on out-of-memory with tiles of half the size.

        Returns
        -------
        tuple
            The layers, each (rows, cols) of the block, and how often the tiles were halved.
        """
        halvings = 0
        while True:
            smaller: Layout | None = None
            try:
                with rounding(self._recipe.precision, self._recipe.threads, self._device):
                    return self._layers(block, layout), halvings
            except Exception as error:
                smaller = layout.halved() if out_of_memory(error) else None
                if smaller is None:
                    raise
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            layout, halvings = smaller, halvings + 1

    def _layers(self, block: Block, layout: Layout) -> Arrays:
        arrays = empty(block.window, self._recipe)
        valid = block.pixels.valid[block.window.within(block.frame)]
        for keep, logits in self._logits(block, layout, valid):
            where = keep.within(block.window)
            for name, values in self._decoded(logits).items():
                np.copyto(arrays[name][where], values, where=valid[where])
        return arrays

    def _logits(self, block: Block, layout: Layout, valid: npt.NDArray[np.bool_]) -> Iterator[tuple[Window, torch.Tensor]]:
        """Parts of the block and their logits (classes, rows, cols), finite where the input is valid."""
        tiles = self._tiles(block, layout, valid)
        parts = self._blended(block, tiles) if layout.blended else tiles
        for keep, logits in ((part.keep if isinstance(part, Tile) else part, values) for part, values in parts):
            _check_finite(logits, valid[keep.within(block.window)], keep)
            yield keep, logits

    def _tiles(self, block: Block, layout: Layout, valid: npt.NDArray[np.bool_]) -> Iterator[tuple[Tile, torch.Tensor]]:
        for tile in layout.tiles(block.index):
            if STOP.is_set():
                raise Unfinished("The run was asked to stop.")
            if valid[tile.keep.within(block.window)].any():
                yield tile, self._forward(block, tile)

    def _forward(self, block: Block, tile: Tile) -> torch.Tensor:
        where = tile.read.within(block.frame)
        x = normalise(block.pixels.data[(slice(None), *where)], block.pixels.valid[where], self._recipe.normalisation, self._device)
        logits = self._answer(x.contiguous(memory_format=torch.channels_last))[0]
        return logits[(slice(None), *tile.keep.within(tile.read))].to(torch.float32)

    def _answer(self, x: torch.Tensor) -> torch.Tensor:
        try:
            return self._network(x)
        except Exception as error:  # a network raises whatever its layers raise
            if out_of_memory(error):
                raise
            said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise InferenceError(f"the network failed on a tile of {x.shape[2]}×{x.shape[3]} px: {said[0][:200]}") from error

    def _blended(self, block: Block, tiles: Iterator[tuple[Tile, torch.Tensor]]) -> Iterator[tuple[Window, torch.Tensor]]:
        total: Accumulator | None = None
        for tile, logits in tiles:
            total = total or Accumulator(len(logits), block.window, TAPERS[self._recipe.taper], self._device)
            blends_probabilities = self._recipe.blend == "probabilities"
            total.add(decode.probabilities(logits, self._recipe.decoding) if blends_probabilities else logits, tile)
        if total is not None:
            yield block.window, total.mean()

    def _decoded(self, logits: torch.Tensor) -> Arrays:
        how, dtype = self._meaning(), getattr(torch, self._recipe.dtype)
        make: dict[str, Callable[[], torch.Tensor]] = {
            "mask": lambda: decode.codes(decode.indices(logits, how), how, dtype),
            "confidence": lambda: decode.confidence(logits, how),
        }
        return {name: make[name]().cpu().numpy() for name in self._recipe.layers}

    def _meaning(self) -> Decoding:
        """What arrives at the decoder: logits, or probabilities where those were blended."""
        recipe = self._recipe
        averaged = recipe.overlapping and recipe.blend == "probabilities"
        return replace(recipe.decoding, activation="none") if averaged else recipe.decoding


def empty(window: Window, recipe: Recipe) -> Arrays:
    """The layers of a block that nothing is known of: nodata, and confidence 0."""
    shape = (window.height, window.width)
    fills = {"mask": np.full(shape, recipe.nodata, dtype=recipe.dtype), "confidence": np.zeros(shape, dtype=np.uint8)}
    return {name: fills[name] for name in recipe.layers}


def out_of_memory(error: Exception) -> bool:
    """Whether torch ran out of memory, on a GPU or on the CPU; TorchScript wraps either in an error of its own."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in ("can't allocate memory", "CUDA out of memory"))


def _check_finite(logits: torch.Tensor, valid: npt.NDArray[np.bool_], keep: Window) -> None:
    """A network that overflows must not be given a class."""
    if torch.isfinite(logits.sum()):
        return
    bad = ~torch.isfinite(logits).all(0).cpu().numpy() & valid
    if bad.any():
        raise InferenceError(f"the network returned NaN or infinity at {int(bad.sum())} valid pixels of {keep}")
