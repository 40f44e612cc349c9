"""``mask``: the code of each pixel's class."""

from __future__ import annotations

import torch

from pipeline.inference.decode import Answer
from pipeline.store.spec import LayerSpec


def make(answer: Answer, of: LayerSpec, least: float) -> torch.Tensor:
    """(rows, cols) codes; nodata where the chosen class is less probable than ``least``."""
    codes = answer.codes
    if least:
        codes = codes.to(torch.int32).masked_fill(answer.certainty < least, int(of.fill))
    return codes.to(getattr(torch, of.dtype))
