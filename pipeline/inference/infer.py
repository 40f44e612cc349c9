"""One block through the network: tile by tile, blended where tiles overlap, decoded on the device.

A worker brings a block, the device's thread asks the device for its layers, and the worker fetches them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError
from pipeline.geometry.blocks import Layout
from pipeline.geometry.window import Window
from pipeline.inference import layers
from pipeline.inference.forward import Forward
from pipeline.inference.parts import check_finite, parts
from pipeline.inference.recipe import Block, Recipe
from pipeline.inference.tapers import KINDS as TAPERS
from pipeline.interfaces import Network
from pipeline.runtime.clock import muted, stage
from pipeline.runtime.device import on_device, out_of_memory, rounding
from pipeline.runtime.transfer import bus
from pipeline.runtime.transfer.base import Arrays, Raw, Span

SUMS = "sums"
"""Fetched beside the layers where nobody looked at the logits."""


@dataclass(slots=True, kw_only=True)
class Brought:
    """A block whose pixels are on their way to the device, until they have to make room there."""

    block: Block
    raw: Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A block whose layers the device was asked for."""

    block: Block
    forward: Forward
    layout: Layout
    """With the tiles it was asked in."""
    layers: dict[str, torch.Tensor]
    """Each ([classes,] rows, cols) of the block, anything where no pixel is wanted."""
    sums: torch.Tensor
    """(parts,) float32 sums of the logits of valid pixels that nobody looked at yet: finite only where all of them are."""
    halvings: int
    span: Span


class Inference:
    """A network with its recipe, on its device."""

    def __init__(self, network: Network, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._device = device
        self._taper = TAPERS[recipe.taper]
        self._bus = bus(device)
        self._forward = Forward(
            network=network, device=device, normalisation=recipe.normalisation, decoding=recipe.decoding,
            probabilities=recipe.averages_probabilities, augment=recipe.augment, batch=recipe.batch,
        )  # fmt: skip

    @property
    def network(self) -> Network:
        """What infers."""
        return self._forward.network

    def __call__(self, block: Block, layout: Layout) -> tuple[Arrays, int]:
        """Infer one block, from one thread."""
        return self.fetch(self.ask(self.bring(block), layout))

    def bring(self, block: Block) -> Brought:
        """Bring a block's pixels to the device; from any thread."""
        return Brought(block=block, raw=self._bus.up(block.pixels))

    def ask(self, brought: Brought, layout: Layout) -> Asked:
        """Ask for the layers of a block, in the device's thread.

        On out-of-memory first without the block itself on the device, then with tiles of half the size, or half as many at once.

        Raises
        ------
        InferenceError
            The network fails, or the device is out of memory for the smallest tiles.
        """
        forward, halvings = self._forward, 0
        while True:
            try:
                with rounding(self._recipe.precision, self._recipe.threads, self._device), self._bus.computing(brought.raw) as span:
                    made, sums = self._layers(forward, brought, layout)
                return Asked(block=brought.block, forward=forward, layout=layout, layers=made, sums=sums, halvings=halvings, span=span)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                carried = brought.raw.arrived is not None
                smaller = (forward, layout) if carried else _halved(forward, layout)
                if smaller is None:
                    raise InferenceError(f"{self._device} is out of memory even for the smallest tiles; free some, or give another execution.device") from error
            brought.raw = Raw.of(brought.block.pixels)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            (forward, layout), halvings = smaller, halvings + (not carried)

    def fetch(self, asked: Asked) -> tuple[Arrays, int]:
        """Wait for what was asked for, and fetch it; from any thread.

        Returns
        -------
        tuple
            The layers, each ([classes,] rows, cols) of the block, and how often the tiles were halved.

        Raises
        ------
        InferenceError
            The network says NaN or infinity of a valid pixel.
        """
        arrays = self._bus.down({**asked.layers, SUMS: asked.sums}, asked.span)
        if not np.isfinite(arrays.pop(SUMS)).all():  # nor is a sum of numbers that overflows
            on_device(lambda: self._examine(asked))
        layers.blank(arrays, asked.block.wanted, self._recipe)
        return arrays, asked.halvings

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
            for window, logits in parts(self._forward, self._taper, block, layout, part):
                check_finite(logits, wanted[window.within(block.window)], window)
                if found is None:
                    found = np.full((len(logits), part.height, part.width), np.nan, dtype=np.float32)
                where = window.within(part)
                np.copyto(found[(slice(None), *where)], logits.cpu().numpy(), where=wanted[where])
        return found

    def decoded(self, logits: npt.NDArray[np.float32]) -> Arrays:
        """The layers that a run makes of what `logits` gave; anything where no pixel is wanted."""
        return layers.decoded(torch.from_numpy(np.nan_to_num(logits)).to(self._device), self._recipe.arrives, self._recipe)

    def _layers(self, forward: Forward, brought: Brought, layout: Layout) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """All layers of a block, where its pixels are, and `Asked.sums`; where the device computes ahead, and has them, nothing here waits for it."""
        block, wanted = brought.block, brought.block.wanted
        made, sums = layers.room(block.window, self._recipe, brought.raw.data.device), [torch.zeros((), device=self._device)]
        for window, logits in parts(forward, self._taper, block, layout, block.window, brought.raw):
            where = window.within(block.window)
            if self._bus.ahead:
                valid = brought.raw.valid[window.within(block.frame)].to(self._device)
                sums.append(logits.masked_fill(~valid, 0).sum())
            else:
                check_finite(logits, wanted[where], window)
            with stage("decode"):
                for name, values in layers.made(logits, self._recipe.arrives, self._recipe):
                    made[name][(..., *where)] = values
        return made, torch.stack(sums)

    def _examine(self, asked: Asked) -> None:
        """Infer a block once more, to name what is no number."""
        block = asked.block
        with stage("device"), muted(), rounding(self._recipe.precision, self._recipe.threads, self._device):
            try:
                for window, logits in parts(asked.forward, self._taper, block, asked.layout, block.window):
                    check_finite(logits, block.wanted[window.within(block.window)], window)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                raise InferenceError(f"the network returned NaN or infinity in {block.window}, and there is no memory to see where") from error


def _halved(forward: Forward, layout: Layout) -> tuple[Forward, Layout] | None:
    """What needs about half the memory for the same labels up to ties, or None."""
    if forward.batch > 1:
        return replace(forward, batch=forward.batch // 2), layout
    smaller = layout.halved()
    return None if smaller is None else (forward, smaller)
