"""One block through the network: tile by tile, blended where tiles overlap, decoded on the device.

A worker brings a block, the device's thread asks the device for its layers, and the worker fetches them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import InferenceError
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.window import Window
from pipeline.inference import layers
from pipeline.inference.clipped import CLIPPED
from pipeline.inference.decode import DecodedTile
from pipeline.inference.failures import memory_failure
from pipeline.inference.fill_invalid import fill_invalid
from pipeline.inference.forward import Forward
from pipeline.inference.parts import block_logits, require_finite
from pipeline.inference.recipe import Block, Recipe
from pipeline.inference.tapers import KINDS as TAPERS
from pipeline.interfaces import Network
from pipeline.models.cropping.network import CroppedNetwork
from pipeline.models.ensemble import Ensemble
from pipeline.runtime.backends import backend_of
from pipeline.runtime.clock import timed_stage, without_timing
from pipeline.runtime.device import fixed_numerics, out_of_memory, run_on_device_thread
from pipeline.runtime.transfer import transfer_for
from pipeline.runtime.transfer.base import Arrays, DeviceBlock, GpuInterval

SUMS = "sums"
"""Fetched beside the layers where nobody looked at the logits."""


@dataclass(slots=True, kw_only=True)
class UploadedBlock:
    """A block whose pixels are on their way to the device, until they have to make room there."""

    block: Block
    raw: DeviceBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingBlock:
    """A block whose layers the device was pending for."""

    block: Block
    forward: Forward
    layout: BlockGrid
    """With the tiles it was pending in."""
    layers: dict[str, torch.Tensor]
    """Each ([classes,] rows, cols) of the block, anything where no pixel is wanted."""
    sums: torch.Tensor
    """(parts,) float32 sums of the logits of valid pixels that nobody looked at yet: finite only where all of them
    are."""
    clipped: torch.Tensor | None
    """(channels,) int64, as `CLIPPED`; None where nothing is clipped."""
    halvings: int
    span: GpuInterval


class Inference:
    """A network with its recipe, on its device."""

    def __init__(
        self, network: Network, recipe: Recipe, device: torch.device, cropped: CroppedNetwork | None = None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self._taper = TAPERS[recipe.taper]
        self._transfer = transfer_for(device)
        self._forward = Forward(
            network=network.with_variance() if recipe.has_variance and isinstance(network, Ensemble) else network,
            device=device,
            normalisation=recipe.normalisation,
            decoding=recipe.decoding,
            probabilities=recipe.averages_probabilities,
            augment=recipe.augment,
            batch=recipe.batch,
            cropped=cropped,
            memory_format=recipe.memory_format,
        )

    @property
    def network(self) -> Network:
        """What infers."""
        return self._forward.network

    def __call__(self, block: Block, layout: BlockGrid) -> tuple[Arrays, int]:
        """Infer one block, from one thread."""
        return self.collect(self.enqueue(self.upload(block), layout))

    def upload(self, block: Block) -> UploadedBlock:
        """Bring a block's pixels to the device; from any thread."""
        return UploadedBlock(block=block, raw=self._transfer.to_device(block.pixels))

    def enqueue(self, uploaded: UploadedBlock, layout: BlockGrid) -> PendingBlock:
        """Ask for the layers of a block, in the device's thread.

        On out-of-memory first without the block itself on the device, then with tiles of half the size, or half as many
        at once.

        Raises
        ------
        InferenceError
            The network fails, or the device is out of memory for the smallest tiles.
        """
        forward, halvings = self._forward, 0
        while True:
            try:
                with (
                    fixed_numerics(self._recipe.precision, self._recipe.threads, self._device),
                    self._transfer.compute_scope(uploaded.raw) as span,
                ):
                    outputs, sums, clipped = self._layers(forward, uploaded, layout)
                return PendingBlock(
                    block=uploaded.block,
                    forward=forward,
                    layout=layout,
                    layers=outputs,
                    sums=sums,
                    clipped=clipped,
                    halvings=halvings,
                    span=span,
                )
            except Exception as error:
                if not out_of_memory(error):
                    raise
                asynchronous = uploaded.raw.arrival is not None
                smaller = (forward, layout) if asynchronous else _halved(forward, layout)
                if smaller is None:
                    raise memory_failure(self._device) from error
            uploaded.raw = DeviceBlock.of(uploaded.block.pixels)
            backend_of(self._device).give_back()
            (forward, layout), halvings = smaller, halvings + (not asynchronous)

    def collect(self, pending: PendingBlock) -> tuple[Arrays, int]:
        """Wait for what was pending for, and fetch it; from any thread.

        Returns
        -------
        tuple
            The layers, each ([classes,] rows, cols) of the block, with `CLIPPED` where numbers may be clipped; and how
            often the tiles were halved.

        Raises
        ------
        InferenceError
            The network says NaN or infinity of a valid pixel.
        """
        counts = {} if pending.clipped is None else {CLIPPED: pending.clipped}
        arrays = self._transfer.to_host({**pending.layers, SUMS: pending.sums, **counts}, pending.span)
        if not np.isfinite(arrays.pop(SUMS)).all():  # nor is a sum of numbers that overflows
            run_on_device_thread(lambda: self._find_nonfinite(pending))
        fill_invalid(arrays, pending.block.output_mask, self._recipe)
        return arrays, pending.halvings

    def logits(self, block: Block, layout: BlockGrid, part: Window) -> npt.NDArray[np.float32] | None:
        """What is decoded in a part of a block, just as a run has it.

        Returns
        -------
        array or None
            (classes, rows, cols) float32 of logits, or probabilities where those are averaged; NaN where no pixel is
            wanted. None where none is.
        """
        result: npt.NDArray[np.float32] | None = None
        output_mask = block.output_mask[part.index_in(block.window)]
        with fixed_numerics(self._recipe.precision, self._recipe.threads, self._device):
            for window, logits in block_logits(self._forward, self._taper, block, layout, part):
                require_finite(logits, output_mask[window.index_in(block.window)], window)
                if result is None:
                    result = np.full((len(logits), part.height, part.width), np.nan, dtype=np.float32)
                where = window.index_in(part)
                np.copyto(result[(slice(None), *where)], logits.cpu().numpy(), where=output_mask[where])
        return result

    def decoded(self, logits: npt.NDArray[np.float32]) -> Arrays:
        """The layers that a run makes of what `logits` gave; anything where no pixel is wanted."""
        return layers.decoded(
            torch.from_numpy(np.nan_to_num(logits)).to(self._device), self._recipe.decoding_after_blend, self._recipe
        )

    def _layers(
        self, forward: Forward, uploaded: UploadedBlock, layout: BlockGrid
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor | None]:
        """All layers of a block, where its pixels are, and the sums and counts of `PendingBlock`.

        Where the device computes ahead, and has them, nothing here waits for it.
        """
        block, output_mask = uploaded.block, uploaded.block.output_mask
        outputs, sums = (
            layers.allocate(block.window, self._recipe, uploaded.raw.data.device),
            [torch.zeros((), device=self._device)],
        )
        channels = len(self._recipe.values.channels)
        clipped = torch.zeros(channels, dtype=torch.int64, device=self._device) if self._recipe.clips else None
        for window, logits in block_logits(forward, self._taper, block, layout, block.window, uploaded.raw):
            where, valid = window.index_in(block.window), None
            if self._transfer.is_async:
                valid = uploaded.raw.valid[window.index_in(block.frame)].to(self._device)
                sums.append(logits.masked_fill(~valid, 0).sum())
            else:
                require_finite(logits, output_mask[where], window)
            with timed_stage("decode"):
                for name, values in layers.compute_layers(logits, self._recipe.decoding_after_blend, self._recipe):
                    outputs[name][(..., *where)] = values
                if clipped is not None:
                    wanted = valid if valid is not None else torch.from_numpy(output_mask[where]).to(self._device)
                    clipped += self._clipped(logits, wanted, block, where)
        return outputs, torch.stack(sums), clipped

    def _clipped(
        self, logits: torch.Tensor, valid: torch.Tensor, block: Block, where: tuple[slice, slice]
    ) -> torch.Tensor:
        """(channels,) pixels of a part of a block that are asked for and clipped; on the device."""
        if block.requested is not None:
            valid = valid & torch.from_numpy(block.requested[where]).to(self._device)
        answer = DecodedTile(self._recipe.answer_of(logits), self._recipe.decoding_after_blend)
        return layers.clipped(answer, self._recipe, valid)

    def _find_nonfinite(self, pending: PendingBlock) -> None:
        """Infer a block once more, to name what is no number."""
        block = pending.block
        with (
            timed_stage("device"),
            without_timing(),
            fixed_numerics(self._recipe.precision, self._recipe.threads, self._device),
        ):
            try:
                for window, logits in block_logits(pending.forward, self._taper, block, pending.layout, block.window):
                    require_finite(logits, block.output_mask[window.index_in(block.window)], window)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                raise InferenceError(
                    f"the network returned NaN or infinity in {block.window}, and there is no memory to see where"
                ) from error


def _halved(forward: Forward, layout: BlockGrid) -> tuple[Forward, BlockGrid] | None:
    """What needs about half the memory for the same labels up to ties, or None."""
    if forward.batch > 1:
        return replace(forward, batch=forward.batch // 2), layout
    smaller = layout.halved()
    return None if smaller is None else (forward, smaller)
