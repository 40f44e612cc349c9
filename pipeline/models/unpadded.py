"""Unpadded networks return less than they are given; what they return is put where it belongs.

::

    |ss|mmmm|oooooooooooo|mmmm|pp|      a tile: s is skipped, m are margins, p pads it to a size that the network takes,
    or is cut off
            |oooooooooooo|oo|           what comes back; what belongs to p and to the margin of the far edge is cut off
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.geometry.margin import Margin, Trim
from pipeline.interfaces import Graph, Origin, Step

if TYPE_CHECKING:
    import torch


def run_unpadded(run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, margin: Margin) -> torch.Tensor:
    """(n, bands, rows, cols) → (n, classes, rows, cols) float32, 0 in the margins.

    Parameters
    ----------
    run
        Gives what the network returns for a size that it takes, (n, classes, rows − both margins, cols − both margins).
    x
        Of any size.
    margin
        What the network leaves off.
    """
    import torch
    import torch.nn.functional as F

    rows, cols = x.shape[2:]
    returned = run(given(x, margin)).to(torch.float32)
    (top, below), (left, right) = _returned_range(margin.rows, rows), _returned_range(margin.cols, cols)
    inner = returned[..., : below - top, : right - left]
    return F.pad(inner, (left, cols - left - inner.shape[3], top, rows - top - inner.shape[2]))


def given(x: torch.Tensor, margin: Margin) -> torch.Tensor:
    """What the network is given of a tile: from its own grid on, padded or cut off to a size that it takes."""
    import torch.nn.functional as F

    aligned = x[..., margin.rows.skip :, margin.cols.skip :]
    height, width = aligned.shape[2:]
    return F.pad(aligned, (0, margin.cols.given(width) - width, 0, margin.rows.given(height) - height))


def _returned_range(trim: Trim, size: int) -> tuple[int, int]:
    """The first pixel of an axis that is returned, and the one after the last."""
    start = trim.skip + trim.before
    return start, max(size - trim.after, start)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinMargin:
    """What an unpadded network is made of, where it runs outside of torch.

    It is looked at on what it is given of a tile.
    """

    graph: Graph
    margin: Margin

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""
        return self.graph.parameters

    @property
    def outputs(self) -> Mapping[str, tuple[int | None, ...]]:
        """Name and shape of all that it returns; None of lengths that vary."""
        return self.graph.outputs

    @property
    def answer(self) -> str:
        """Name of the output that is taken."""
        return self.graph.answer

    def origin(self) -> Origin:
        """What made the output that is taken."""
        return self.graph.origin()

    def peak(self, bands: int, side: int) -> int:
        """Bytes at the peak of one square tile of ``side`` px, beyond the input."""
        trim = self.margin.rows
        return self.graph.peak(bands, trim.given(side - trim.skip))

    def steps(
        self, x: torch.Tensor, other: torch.Tensor | None = None, kinds: frozenset[str] | None = None
    ) -> list[Step]:
        """Every operation of some kinds as it runs on a tile, compared with its run on another.

        Tiles are (1, bands, rows, cols).
        """
        return self.graph.steps(given(x, self.margin), None if other is None else given(other, self.margin), kinds)
