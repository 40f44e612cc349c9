"""One block through a network that runs outside of torch: arrays go in, arrays come out, and torch is not needed.

Which jobs are computed so follows from the recipe alone, so that a store has the same bytes whoever computes a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockGrid, Tile
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window, bounding_window
from pipeline.inference.array_decode import ARRAY_LAYERS, DecodedArrays, Planes
from pipeline.inference.array_normalise import normalise_array
from pipeline.inference.failures import memory_failure, network_failure, nonfinite_failure
from pipeline.inference.fill_invalid import fill_invalid
from pipeline.inference.normalise import Stretch
from pipeline.inference.recipe import Block, Recipe
from pipeline.inference.wanted_tiles import wanted_tiles
from pipeline.models.array_network import ArrayNetwork
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.runtime.clock import timed_stage
from pipeline.runtime.transfer.base import Arrays
from pipeline.store.layers import LayerSpec

DECODED_STRIP_PX = 2**16
"""Pixels that are decoded at once, so that they stay in a core's cache."""


def takes_arrays(recipe: Recipe) -> bool:
    """Whether tiles of a recipe are computed on arrays.

    Its runtime takes them, and each tile is normalised, run and decoded by itself: none is blended, turned or put into
    a batch, and nothing of it is changed by code of torch.
    """
    normalisation, decoding = recipe.normalisation, recipe.decoding
    return (
        RUNTIMES[recipe.runtime].arrays is not None
        and recipe.precision == "float32"
        and not (recipe.overlapping or recipe.has_variance or normalisation.transform)
        and recipe.augment == "none"
        and recipe.batch == 1
        and isinstance(normalisation.stretch, Stretch | None)
        and set(recipe.layers) <= set(ARRAY_LAYERS)
        and decoding.background is None
        and not isinstance(decoding.threshold, tuple)
    )


class ArrayInference:
    """A network with its recipe, where both take arrays."""

    def __init__(self, network: ArrayNetwork, recipe: Recipe) -> None:
        self.network, self._recipe = network, recipe

    def __call__(self, block: Block, layout: BlockGrid) -> tuple[Arrays, int]:
        """Infer one block, in the device's thread; out of memory, with tiles of half the size.

        Returns
        -------
        tuple
            The layers, each ([classes,] rows, cols) of the block; and how often the tiles were halved.

        Raises
        ------
        InferenceError
            The network fails, returns NaN or infinity of a valid pixel, or has no memory for the smallest tiles.
        """
        halvings = 0
        while True:
            try:
                with timed_stage("device"):
                    layers = self._layers(block, layout)
                fill_invalid(layers, block.output_mask, self._recipe)
                return layers, halvings
            except MemoryError as error:
                smaller = layout.halved()
                if smaller is None:
                    raise memory_failure("cpu") from error
            layout, halvings = smaller, halvings + 1

    def _layers(self, block: Block, layout: BlockGrid) -> Arrays:
        specs, output_mask = self._recipe.layer_specs, block.output_mask
        layers = {
            name: np.empty(spec.shape(block.window.height, block.window.width), spec.dtype)
            for name, spec in specs.items()
        }
        for keep, logits in self._logits(block, layout, output_mask):
            _require_finite(logits, output_mask[keep.index_in(block.window)], keep)
            # of invalid pixels a network may say anything
            with timed_stage("decode"), np.errstate(over="ignore", invalid="ignore"):
                self._decode(logits, keep.index_in(block.window), specs, layers)
        return layers

    def _logits(
        self, block: Block, layout: BlockGrid, output_mask: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[Window, Planes]]:
        """What each tile keeps, and (classes, rows, cols) float32 of it."""
        inside = bounding_window(output_mask, block.window)
        if inside is None:
            return
        for tile in wanted_tiles(block, layout, inside, block.window, output_mask):
            yield tile.keep, self._tile_logits(block, tile)

    def _tile_logits(self, block: Block, tile: Tile) -> Planes:
        """(classes, rows, cols) float32 of the part of a tile that is kept."""
        where = tile.read.index_in(block.frame)
        valid = block.pixels.valid[where]
        keep = Window.of(*(Span(part.start, part.stop) for part in tile.keep.index_in(tile.read)))
        with timed_stage("normalise"):
            image = normalise_array(
                block.pixels.data[(slice(None), *where)], None if valid.all() else valid, self._recipe.normalisation
            )
        try:
            with timed_stage("network"):
                return self.network(image, keep, self._recipe.threads)
        except MemoryError:
            raise
        except Exception as error:  # a runtime raises whatever its operators raise
            raise network_failure(error, *image.shape[2:]) from error

    def _decode(
        self, logits: Planes, place: tuple[slice, slice], specs: Mapping[str, LayerSpec], layers: Arrays
    ) -> None:
        """Write what a tile keeps into its place in the layers of the block, strip by strip."""
        rows, cols = place
        for strip in cut(logits.shape[1], max(1, DECODED_STRIP_PX // logits.shape[2])):
            decoded = DecodedArrays(logits[:, strip.start : strip.stop], self._recipe.decoding)
            where = slice(rows.start + strip.start, rows.start + strip.stop)
            for name, spec in specs.items():
                layers[name][..., where, cols] = decoded.layer(spec, self._recipe.min_confidence)


def _require_finite(logits: Planes, output_mask: npt.NDArray[np.bool_], keep: Window) -> None:
    """A network that overflows must not be given a class. Raises InferenceError."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(logits.sum()):
            return
    bad = ~np.isfinite(logits).all(0) & output_mask
    if bad.any():
        raise nonfinite_failure(int(bad.sum()), keep)
