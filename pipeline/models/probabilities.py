"""Logits to probabilities: an activation, and a temperature that logits are divided by before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


Activation = Literal["softmax", "sigmoid", "none"]


def activated(logits: torch.Tensor, activation: Activation, temperature: float = 1.0, axis: int = 0) -> torch.Tensor:
    """Probabilities of logits, of the same shape.

    Parameters
    ----------
    logits
        Floating, with the classes along one axis.
    activation
        ``none`` gives back what is given: the network returns probabilities, or numbers of no class.
    temperature
        The logits are divided by it. Above 1 the probabilities are nearer to each other, below 1 further apart; no
        order of classes changes.
    axis
        That of the classes, for a softmax.

    References
    ----------
    Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2.
    """
    import torch

    if activation == "none":
        return logits
    scaled = logits if temperature == 1 else logits / temperature
    return torch.softmax(scaled, axis) if activation == "softmax" else torch.sigmoid(scaled)
