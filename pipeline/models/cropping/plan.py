"""What of a network is computed where a part of a tile is kept, whatever library runs the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.geometry.window import Window
from pipeline.models.cropping.axes import Enlarged
from pipeline.models.cropping.cost import live_bytes, work
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.regions import Regions, plan_regions
from pipeline.models.cropping.steps import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class CroppingCost:
    """What is left of a tile's cost, as shares of that of the whole tile."""

    work: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class Cropping:
    """What a network was seen to do, and what of it is computed for parts of tiles."""

    record: Record
    factor: int
    """By which what the network returns is enlarged to the size of its input."""
    _whole: set[tuple[int, int, Window]] = field(default_factory=set, repr=False)
    """Sizes of tiles that are computed whole, and what is kept of them."""

    @classmethod
    def of(cls, record: Record, shape: Sequence[int]) -> Cropping:
        """Of what was seen on an image (1, bands, rows, cols). Raises Unsupported as `enlargement` does."""
        return cls(record=record, factor=enlargement(record, shape))

    def cost(self, height: int, width: int, keep: Window) -> CroppingCost:
        """What is left of the cost of a tile of so many px, where a part of it is kept."""
        regions, whole = (
            self.planned(height, width, part) for part in (keep, Window(row=0, col=0, height=height, width=width))
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
        whole = self.planned(side, side, Window(row=0, col=0, height=side, width=side))
        return 0.0 if whole is None else work(self.record, whole) / side**2

    def planned(self, height: int, width: int, keep: Window) -> Regions | None:
        """What is computed of a tile of so many px of which a part is kept; None where that cannot be."""
        if (height, width, keep) in self._whole:
            return None
        try:
            return plan_regions(self.record, height, width, self._output_part(height, width, keep))
        except Unsupported:
            return None

    def compute_whole(self, height: int, width: int, keep: Window) -> None:
        """Tiles of this size from now on."""
        self._whole.add((height, width, keep))

    def _output_part(self, height: int, width: int, keep: Window) -> Window:
        """What decides the part, px of what the network returns."""
        if self.factor == 1:
            return keep
        rule = Enlarged(factor=self.factor, reach=1)
        rows, cols = rule.need(keep.rows).clip(height // self.factor), rule.need(keep.cols).clip(width // self.factor)
        return Window.of(rows, cols)

    def place(self, output: Window, keep: Window) -> tuple[slice, slice]:
        """Where a kept part lies in an output that was computed, once that is enlarged."""
        if self.factor == 1:
            return keep.index_in(output)
        rule = Enlarged(factor=self.factor, reach=1)
        return keep.index_in(Window.of(rule.result(output.rows), rule.result(output.cols)))


def enlargement(record: Record, shape: Sequence[int]) -> int:
    """The whole factor by which what a network returns of an image (1, bands, rows, cols) is smaller than the image.

    Raises Unsupported where there is none.
    """
    factor = shape[2] // record.size[0]
    if (record.size[0] * factor, record.size[1] * factor) != tuple(shape[2:]):
        raise Unsupported("what it returns is no whole factor smaller than its image")
    return factor
