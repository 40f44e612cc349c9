"""``entropy``: how undecided the network is among all classes, which the probability of the first alone does not tell."""

from __future__ import annotations

import math

import torch

from pipeline.inference.decode import DecodedTile
from pipeline.store.spec import ENTROPY_ONE, LayerSpec


def make(tile: DecodedTile, spec: LayerSpec, min_confidence: float) -> torch.Tensor:
    """(rows, cols) uint8: 0 where the network is certain, 254 where all classes are equally probable."""
    return entropy(tile).clamp(0, 1).mul(ENTROPY_ONE).round().to(torch.uint8)


def entropy(tile: DecodedTile) -> torch.Tensor:
    """Shannon's entropy H = −Σ p·log p, divided by its maximum.

    Where classes exclude each other, the sum runs over the C classes, and the maximum is log C. One channel is two classes, p and
    1 − p. Where several classes may hold at once, each channel is a question of its own: the mean of their binary entropies.

    Returns
    -------
    torch.Tensor
        (rows, cols) float32 within 0–1.

    References
    ----------
    Shannon 1948, A Mathematical Theory of Communication, section 6.
    """
    p, total = tile.p, torch.zeros_like(tile.logits[0])
    binary = len(p) == 1 or tile.decoding.background is not None
    for plane in p:  # class by class: a term for all of them at once would double what the device holds
        plane = plane.clamp(0, 1)
        total += torch.special.entr(plane)
        if binary:
            total += torch.special.entr(1 - plane)
    return total / (len(p) * math.log(2) if binary else math.log(len(p)))
