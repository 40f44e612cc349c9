"""A network that is told which part of a tile is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from pipeline.geometry.window import Window
from pipeline.models.cropping.plan import Cropping, enlargement
from pipeline.models.cropping.record import record_network
from pipeline.models.cropping.record_values import record_of_values, values_of_record
from pipeline.models.cropping.regions import Regions
from pipeline.models.cropping.run import Cropper
from pipeline.models.cropping.steps import Record
from pipeline.models.loaded import Loaded
from pipeline.runtime.record_files import recorded, torch_release

OPERATIONS_VERSION = 1
"""Raised when other things are noted of operations."""


@dataclass(frozen=True, kw_only=True)
class CroppedNetwork(Cropping):
    """A network, and what it was seen to do."""

    network: Loaded
    compute: Callable[[torch.Tensor, Regions], torch.Tensor | None]
    """What its library returns of a tile's regions; None where it does something else than was seen."""

    def __call__(self, x: torch.Tensor, keep: Window) -> torch.Tensor:
        """The logits of a part of a tile.

        Parameters
        ----------
        x
            (n, bands, rows, cols) float32.
        keep
            The part, px of the tile.

        Returns
        -------
        torch.Tensor
            (n, classes, keep.height, keep.width) float32: up to roundings what the network returns there of the whole.
        """
        height, width = x.shape[2:]
        regions = self.planned(height, width, keep)
        if regions is not None and regions.cut:
            returned = self.compute(x, regions)
            if returned is not None:
                return self._part(returned, regions.output, keep)
            self.compute_whole(height, width, keep)
        return self.network(x)[(..., *keep.slices)]

    def _part(self, returned: torch.Tensor, output: Window, keep: Window) -> torch.Tensor:
        """What is kept of an output that was computed, enlarged in float32 as logits of the whole are."""
        returned = returned.to(torch.float32)
        if self.factor > 1:
            size = (returned.shape[2] * self.factor, returned.shape[3] * self.factor)
            returned = F.interpolate(returned, size=size, mode="bilinear", align_corners=False)
        return returned[(..., *self.place(output, keep))]


def crop_image(bands: int, side: int, device: torch.device) -> torch.Tensor:
    """(1, bands, side, side) float32 zeros, as tiles lie in memory: what a network does is seen on it."""
    zeros = torch.zeros((1, bands, side, side), device=device)
    return zeros.contiguous(memory_format=torch.channels_last)


def record_cropping(network: Loaded, image: torch.Tensor) -> CroppedNetwork:
    """See what a network of torch does to a small image (1, bands, rows, cols).

    What was seen is kept for the next job. A run of parts compares every operation with it.

    Raises
    ------
    Unsupported
        Something of it is not cropped.
    """
    record = _record(network, image)
    return CroppedNetwork(
        network=network,
        record=record,
        compute=lambda x, regions: Cropper(record, regions).run(network.scores, x),
        factor=enlargement(record, image.shape),
    )


def _record(network: Loaded, image: torch.Tensor) -> Record:
    """What is kept of a network; one without an identity is looked at each time."""
    if not network.identity_fields:
        return record_network(network.scores, image)
    return recorded(
        "operations",
        _record_key(network, image),
        lambda: record_network(network.scores, image),
        values_of_record,
        record_of_values,
    )


def _record_key(network: Loaded, image: torch.Tensor) -> list[Any]:
    """All that decides a record."""
    kind = image.device.type
    precision = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else image.dtype
    computing = [torch_release(), str(image.device), str(precision)]
    return [OPERATIONS_VERSION, network.identity(), network.folded, list(image.shape), *computing]
