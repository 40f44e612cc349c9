"""Unpadded networks return less than they are given; what they return is put where it belongs.

::

    |mmmm|oooooooooooo|mmmm|pp|      what is given: m are margins, p pads it to a size that the network takes
         |oooooooooooo|oo|           what comes back; what belongs to p and to the margin of the far edge is cut off
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from pipeline.protocols import Margin


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
    wide = F.pad(x, (0, margin.taken(cols) - cols, 0, margin.taken(rows) - rows))
    returned = run(wide).to(torch.float32)
    below, right = rows - margin.after - margin.before, cols - margin.after - margin.before
    inner = returned[..., : max(below, 0), : max(right, 0)]
    return F.pad(inner, (margin.before, cols - margin.before - inner.shape[3], margin.before, rows - margin.before - inner.shape[2]))
