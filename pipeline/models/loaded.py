"""A loaded network: one calling convention, whatever the kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.models.output import logits
from pipeline.protocols import Accepts, Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A network on its device, in eval mode."""

    module: torch.nn.Module
    said: dict[str, Any]
    """Kind and hashes."""
    key: str = "auto"
    """Entry of what it returns."""
    accepts: Accepts = field(default_factory=Accepts)
    notes: tuple[str, ...] = ()
    """What was unwrapped and left out of its weights file, in words."""
    graph: Graph | None = None
    """What it is made of, where torch does not see it run."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) float32 → logits (n, classes, rows, cols) float32 at the input's size.

        A network of a fixed batch is given no more than that; what is missing from a batch is filled up with the last image.
        """
        batch, n = self.accepts.batch or len(x), len(x)
        if n < batch:
            x = torch.cat([x, x[-1:].expand(batch - n, -1, -1, -1)])
        with torch.inference_mode():
            return logits(self.module(x), self.key, x.shape[2], x.shape[3])[:n]

    def identity(self) -> dict[str, Any]:
        """What makes it this network."""
        return dict(self.said)
