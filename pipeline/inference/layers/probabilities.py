"""``probabilities``: that of each class, in 255ths or as float16."""

from __future__ import annotations

import torch

from pipeline.inference import decode
from pipeline.inference.decode import Answer
from pipeline.store.spec import LayerSpec


def make(answer: Answer, of: LayerSpec, least: float) -> torch.Tensor:
    """(classes, rows, cols) in the order of the class table: round(255·p) as uint8, or p as float16. Classes are converted one by one."""
    made = torch.empty(of.shape(*answer.logits.shape[1:]), dtype=getattr(torch, of.dtype), device=answer.logits.device)
    for plane, p in zip(made, decode.outcomes(answer.p, answer.how), strict=True):
        p = p.clamp(0, 1)
        plane.copy_(p if of.dtype == "float16" else p.mul(255).round())
    return made
