"""``probabilities``: that of each class, in 255ths or as float16."""

from __future__ import annotations

import torch

from pipeline.inference import decode
from pipeline.inference.decode import DecodedTile
from pipeline.store.spec import LayerSpec


def make(tile: DecodedTile, spec: LayerSpec, min_confidence: float) -> torch.Tensor:
    """(classes, rows, cols) in the order of the class table: round(255·p) as uint8, or p as float16. Classes are converted one by one."""
    planes = torch.empty(spec.shape(*tile.logits.shape[1:]), dtype=getattr(torch, spec.dtype), device=tile.logits.device)
    for plane, p in zip(planes, decode.class_probabilities(tile.p, tile.decoding), strict=True):
        p = p.clamp(0, 1)
        plane.copy_(p if spec.dtype == "float16" else p.mul(255).round())
    return planes
