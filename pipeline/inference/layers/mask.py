"""``mask``: the code of each pixel's class."""

from __future__ import annotations

import torch

from pipeline.inference.decode import DecodedTile
from pipeline.store.spec import LayerSpec


def make(tile: DecodedTile, spec: LayerSpec, min_confidence: float) -> torch.Tensor:
    """(rows, cols) codes; nodata where the chosen class is less probable than ``min_confidence``."""
    codes = tile.codes
    if min_confidence:
        codes = codes.to(torch.int32).masked_fill(tile.certainty < min_confidence, int(spec.fill))
    return codes.to(getattr(torch, spec.dtype))
