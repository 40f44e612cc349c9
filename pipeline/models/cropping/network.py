"""A network that is told which part of a tile is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F

from pipeline.geometry.window import Window
from pipeline.models.cropping.axes import Enlarged
from pipeline.models.cropping.cost import live_bytes, work
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.record import record_network
from pipeline.models.cropping.regions import Regions, plan_regions
from pipeline.models.cropping.run import Cropper
from pipeline.models.cropping.steps import Record
from pipeline.models.loaded import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class CroppingCost:
    """What is left of a tile's cost, as shares of that of the whole tile."""

    work: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class CroppedNetwork:
    """A network, and what it was seen to do."""

    network: Loaded
    record: Record
    compute: Callable[[torch.Tensor, Regions], torch.Tensor | None]
    """What its library returns of a tile's regions; None where it does something else than was seen."""
    factor: int
    """By which what it returns is enlarged to the size of its input."""
    _whole: set[tuple[int, int, Window]] = field(default_factory=set, repr=False)
    """Sizes of tiles that are computed whole, and what is kept of them."""

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
        regions = self._planned(height, width, keep)
        if regions is not None and regions.cut:
            returned = self.compute(x, regions)
            if returned is not None:
                return self._part(returned, regions.output, keep)
            self._whole.add((height, width, keep))  # from now on
        return self.network(x)[(..., *keep.slices)]

    def cost(self, height: int, width: int, keep: Window) -> CroppingCost:
        """What is left of the cost of a tile of so many px, where a part of it is kept."""
        regions, whole = (
            self._planned(height, width, part) for part in (keep, Window(row=0, col=0, height=height, width=width))
        )
        if regions is None or whole is None:
            return CroppingCost(work=1.0, memory=1.0)
        return CroppingCost(
            work=work(self.record, regions) / work(self.record, whole),
            memory=min(live_bytes(self.record, regions) / max(live_bytes(self.record, whole), 1), 1.0),
        )

    @cached_property
    def work_per_pixel(self) -> float:
        """Of the network's input, in multiplications."""
        side = 1024 * self.factor
        whole = self._planned(side, side, Window(row=0, col=0, height=side, width=side))
        return 0.0 if whole is None else work(self.record, whole) / side**2

    def _planned(self, height: int, width: int, keep: Window) -> Regions | None:
        """What is cut; None where that cannot be."""
        if (height, width, keep) in self._whole:
            return None
        try:
            return plan_regions(self.record, height, width, self._output_part(height, width, keep))
        except Unsupported:
            return None

    def _output_part(self, height: int, width: int, keep: Window) -> Window:
        """What decides the part, px of what the network returns."""
        if self.factor == 1:
            return keep
        rule = Enlarged(factor=self.factor, reach=1)
        rows, cols = rule.need(keep.rows).clip(height // self.factor), rule.need(keep.cols).clip(width // self.factor)
        return Window.of(rows, cols)

    def _part(self, returned: torch.Tensor, output: Window, keep: Window) -> torch.Tensor:
        """What is kept of an output that was computed, enlarged in float32 as logits of the whole are."""
        returned = returned.to(torch.float32)
        if self.factor == 1:
            return returned[(..., *keep.index_in(output))]
        size = (returned.shape[2] * self.factor, returned.shape[3] * self.factor)
        enlarged = F.interpolate(returned, size=size, mode="bilinear", align_corners=False)
        rule = Enlarged(factor=self.factor, reach=1)
        return enlarged[(..., *keep.index_in(Window.of(rule.result(output.rows), rule.result(output.cols))))]


def crop_image(bands: int, side: int, device: torch.device) -> torch.Tensor:
    """(1, bands, side, side) float32 zeros, as tiles lie in memory: what a network does is seen on it."""
    zeros = torch.zeros((1, bands, side, side), device=device)
    return zeros.contiguous(memory_format=torch.channels_last)


def record_cropping(network: Loaded, image: torch.Tensor) -> CroppedNetwork:
    """See what a network of torch does to a small image (1, bands, rows, cols).

    Raises
    ------
    Unsupported
        Something of it is not cropped.
    """
    record = record_network(network.scores, image)
    return CroppedNetwork(
        network=network,
        record=record,
        compute=lambda x, regions: Cropper(record, regions).run(network.scores, x),
        factor=enlargement(record, image.shape),
    )


def enlargement(record: Record, shape: Sequence[int]) -> int:
    """The whole factor by which what a network returns of an image (1, bands, rows, cols) is smaller than the image.

    Raises Unsupported where there is none.
    """
    factor = shape[2] // record.size[0]
    if (record.size[0] * factor, record.size[1] * factor) != tuple(shape[2:]):
        raise Unsupported("what it returns is no whole factor smaller than its image")
    return factor
