"""Unpadded networks return less than they are given; what they return is put where it belongs.

::

    |ss|mmmm|oooooooooooo|mmmm|pp|      a tile: s is skipped, m are margins, p pads it to a size that the network takes
            |oooooooooooo|oo|           what comes back; what belongs to p and to the margin of the far edge is cut off
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from pipeline.raster.margin import Margin, Trim


def answer(run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, margin: Margin) -> torch.Tensor:
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
    rows, cols = x.shape[2:]
    seen = x[..., margin.rows.skip :, margin.cols.skip :]
    height, width = seen.shape[2:]
    returned = run(F.pad(seen, (0, margin.cols.taken(width) - width, 0, margin.rows.taken(height) - height))).to(torch.float32)
    (top, below), (left, right) = _kept(margin.rows, rows), _kept(margin.cols, cols)
    inner = returned[..., : below - top, : right - left]
    return F.pad(inner, (left, cols - left - inner.shape[3], top, rows - top - inner.shape[2]))


def _kept(trim: Trim, size: int) -> tuple[int, int]:
    """The first pixel of an axis that is returned, and the one after the last."""
    start = trim.skip + trim.before
    return start, max(size - trim.after, start)
