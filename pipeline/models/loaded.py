"""A loaded network: one calling convention, whatever the kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.models.output import logits
from pipeline.protocols import Accepts


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

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(1, bands, rows, cols) float32 → logits (1, classes, rows, cols) float32 at the input's size."""
        batch = self.accepts.batch
        if batch is not None and batch > 1:
            x = x.expand(batch, -1, -1, -1).contiguous()
        with torch.inference_mode():
            return logits(self.module(x), self.key, x.shape[2], x.shape[3])[:1]

    def identity(self) -> dict[str, Any]:
        """What makes it this network."""
        return dict(self.said)
