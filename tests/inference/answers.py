"""What networks of each kind may say, and what layers are in a store of their classes."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.decode import DecodedTile
from pipeline.store.layers import LayerSpec, layer_spec


def layer(name: str, planes: int = 3, **changes: Any) -> LayerSpec:
    return layer_spec(name, **{"dtype": "uint8", "nodata": 255, "probabilities": "uint8", "planes": planes, **changes})


def answer(
    p: list[Any] | torch.Tensor,
    background: int | None = None,
    codes: tuple[int, ...] | None = None,
    activation: Any = "none",
) -> DecodedTile:
    """Probabilities of each channel at some pixels, (channels, 1, pixels)."""
    logits = torch.as_tensor(p, dtype=torch.float32)
    logits = logits[:, None] if logits.ndim == 2 else logits
    codes = codes or tuple(range(max(len(logits), 2)))
    return DecodedTile(logits, ClassDecoding(activation=activation, threshold=0.5, codes=codes, background=background))
