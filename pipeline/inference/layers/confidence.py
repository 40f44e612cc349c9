"""``confidence``: the probability of the chosen class, in 255ths."""

from __future__ import annotations

import torch

from pipeline.inference.decode import DecodedTile
from pipeline.store.spec import LayerSpec


def make(tile: DecodedTile, spec: LayerSpec, min_confidence: float) -> torch.Tensor:
    """(rows, cols) uint8, round(255·p); also where the mask passes over a pixel for it."""
    return tile.certainty.clamp(0, 1).mul(255).round().to(torch.uint8)
