"""Logits to codes and confidence, on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What the network's channels mean."""

    activation: Literal["softmax", "sigmoid", "none"]
    """What turns logits into probabilities; ``none`` where the network already did."""
    threshold: float
    """Probability above which one channel means class 1."""
    codes: tuple[int, ...]
    """Class code of each channel; of classes 0 and 1 for one channel; last that of a background without a channel."""
    background: int | None = None
    """Where several classes may hold at once: the place in ``codes`` of what a pixel is where none reaches the threshold."""


def probabilities(logits: torch.Tensor, how: Decoding) -> torch.Tensor:
    """(classes, rows, cols) float32 logits → probabilities of the same shape."""
    if how.activation == "softmax":
        return torch.softmax(logits, 0)
    return torch.sigmoid(logits) if how.activation == "sigmoid" else logits


def indices(logits: torch.Tensor, how: Decoding) -> torch.Tensor:
    """The winning class, (rows, cols) uint8; ties go to the lower class."""
    if len(logits) == 1:
        return (probabilities(logits, how)[0] > how.threshold).to(torch.uint8)
    best, index = logits[0], torch.zeros(logits.shape[1:], dtype=_index_dtype(len(how.codes)), device=logits.device)
    for k in range(1, len(logits)):  # a running maximum: argmax over a strided class axis is several times slower
        better = logits[k] > best
        index.masked_fill_(better, k)
        best = torch.maximum(best, logits[k])
    if how.background is not None:
        index.masked_fill_(probabilities(best, how) < how.threshold, how.background)
    return index


def confidence(logits: torch.Tensor, how: Decoding) -> torch.Tensor:
    """Round(255·p) of the winning class, (rows, cols) uint8; max(p, 1−p) for one channel, 1 − the largest p for a background without one."""
    p = probabilities(logits, how)
    top = torch.maximum(p[0], 1 - p[0]) if len(p) == 1 else p.amax(0)
    if how.background is not None:
        otherwise = p[how.background] if how.background < len(p) else 1 - top
        top = torch.where(top < how.threshold, otherwise, top)
    return top.clamp(0, 1).mul(255).round().to(torch.uint8)


def codes(index: torch.Tensor, how: Decoding, dtype: torch.dtype) -> torch.Tensor:
    """Class indices → class codes, (rows, cols) of ``dtype``."""
    if how.codes == tuple(range(len(how.codes))):
        return index.to(dtype)
    table = torch.tensor(how.codes, dtype=torch.int64, device=index.device)
    return table[index.to(torch.int64)].to(dtype)


def _index_dtype(classes: int) -> torch.dtype:
    return torch.uint8 if classes <= 256 else torch.int32
