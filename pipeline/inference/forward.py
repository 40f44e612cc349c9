"""Tiles through the network.

Normalised, several at once where they are equal, turned and turned back where that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.blocks import Tile
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.inference import decode
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.failures import network_failure
from pipeline.inference.normalise import Normalisation, normalise
from pipeline.inference.tta import TTA_GROUPS
from pipeline.interfaces import Network, Pixels
from pipeline.models.cropping.network import CroppedNetwork
from pipeline.runtime.clock import timed_stage
from pipeline.runtime.device import out_of_memory
from pipeline.runtime.transfer.base import DeviceBlock

TORCH_FORMATS: Mapping[str, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}
"""Those of `pipeline.inference.recipe.MEMORY_FORMATS`, as torch has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A network on its device, from raw pixels to what is averaged: logits, or probabilities."""

    network: Network
    device: torch.device
    normalisation: Normalisation
    decoding: ClassDecoding
    probabilities: bool
    """Whether it answers with probabilities instead of logits."""
    augment: str
    """Key of `TTA_GROUPS`."""
    batch: int
    """Equal tiles that go through the network at once.

    It is always as many, since kernels, and with them the last bits, are chosen by shape.
    """
    cropped: CroppedNetwork | None = None
    """The network as it computes a part of a tile, where halos are cropped on their way through it; of batches of 1."""
    memory_format: str = "channels_last"
    """Key of `TORCH_FORMATS`."""

    def __call__(
        self, pixels: Pixels, frame: Window, tiles: Iterable[Tile], raw: DeviceBlock | None = None
    ) -> Iterator[tuple[Tile, torch.Tensor]]:
        """Run tiles in order.

        Parameters
        ----------
        pixels, frame
            Raw pixels, and the window of the raster that they cover: all that the tiles read.
        tiles
            Of one size where ``batch`` is above 1.
        raw
            The same pixels on the device, where they were brought there already.

        Yields
        ------
        tuple
            A tile and (classes, rows, cols) float32 of the part of it that is kept.

        Raises
        ------
        InferenceError
            The network fails.
        """
        waiting, raw = iter(tiles), raw or DeviceBlock.of(pixels)
        while batch := list(islice(waiting, self.batch)):
            inputs = [self._input(raw, pixels.valid, frame, tile) for tile in batch]
            if self.cropped is not None:
                yield batch[0], self._part(self.cropped, inputs[0], batch[0])
                continue
            outputs = self._averaged(torch.cat(inputs) if len(inputs) > 1 else inputs[0])
            for tile, values in zip(batch, outputs, strict=False):
                yield tile, values[(slice(None), *tile.keep.index_in(tile.read))]

    def _input(self, raw: DeviceBlock, valid: npt.NDArray[np.bool_], frame: Window, tile: Tile) -> torch.Tensor:
        """Whether all pixels of a tile are valid is looked up here: a GPU would be waited for."""
        where = tile.read.index_in(frame)
        with timed_stage("normalise"):
            return normalise(
                raw.data[(slice(None), *where)],
                None if valid[where].all() else raw.valid[where],
                self.normalisation,
                self.device,
            )

    def _averaged(self, x: torch.Tensor) -> torch.Tensor:
        """The mean over all turns, (n, classes, rows, cols) float32 for n ≤ batch tiles."""
        if len(x) < self.batch:
            x = torch.cat([x, x[-1:].expand(self.batch - len(x), -1, -1, -1)])
        symmetries = TTA_GROUPS[self.augment]
        if len(symmetries) == 1:
            return self._run_network(x)
        total = self._run_network(x).clone()  # it may be the input itself, which the other turns still need
        for symmetry in symmetries[1:]:
            total += symmetry.invert(self._run_network(symmetry.apply(x)))
        return total.div_(len(symmetries))

    def _part(self, cropped: CroppedNetwork, x: torch.Tensor, tile: Tile) -> torch.Tensor:
        """(classes, rows, cols) float32 of the part of a tile that is kept."""
        keep = Window.of(*(Span(one.start, one.stop) for one in tile.keep.index_in(tile.read)))
        return self._run_network(x, lambda image: cropped(image, keep))[0]

    def _run_network(
        self, x: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> torch.Tensor:
        run = network or self.network
        try:
            with timed_stage("network"):
                x = x.contiguous(memory_format=TORCH_FORMATS[self.memory_format])
                output = run(x).to(torch.float32)
        except Exception as error:  # a network raises whatever its layers raise
            if out_of_memory(error):
                raise
            raise network_failure(error, x.shape[2], x.shape[3]) from error
        if not self.probabilities:
            return output
        per_tile = [decode.channel_probabilities(logits, self.decoding) for logits in output]
        return torch.stack(per_tile) if len(per_tile) > 1 else per_tile[0][None]
