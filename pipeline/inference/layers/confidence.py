"""``confidence``: the probability of the chosen class, in 255ths."""

from __future__ import annotations

import torch

from pipeline.inference.decode import Answer
from pipeline.store.spec import LayerSpec


def make(answer: Answer, of: LayerSpec, least: float) -> torch.Tensor:
    """(rows, cols) uint8, round(255·p); also where the mask passes over a pixel for it."""
    return answer.certainty.clamp(0, 1).mul(255).round().to(torch.uint8)
