"""Logits read as probabilities: of classes that exclude each other, or of classes that hold side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from pipeline.train.scenes import UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A batch, its unknown pixels blanked."""

    z: torch.Tensor
    """(windows, classes, rows, cols) float32 logits; constants 0 where nothing is known."""
    index: torch.Tensor
    """(windows, 1, rows, cols) int64; 0 where nothing is known."""
    truth: torch.Tensor
    """(windows, classes, rows, cols) float32: 1 where the class holds, 0 elsewhere and where nothing is known."""
    known: torch.Tensor
    """(windows, 1, rows, cols) bool."""
    weights: torch.Tensor
    """(1, classes, 1, 1) float32."""


def blanked(logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> Seen:
    """A batch ready to be read; one logit becomes two. Raises ValueError where the weights are not as many as the classes."""
    known = (target != UNKNOWN)[:, None]
    z = torch.where(known, logits.float(), 0.0)
    z = torch.cat([torch.zeros_like(z), z], 1) if z.shape[1] == 1 else z
    classes = z.shape[1]
    weights = z.new_ones(classes) if weights is None else weights
    if len(weights) != classes:
        raise ValueError(f"there are {len(weights)} class weights for {classes} classes; give one for each")
    none = torch.where(known, target[:, None], classes)
    truth = z.new_zeros(z.shape[0], classes + 1, *z.shape[2:]).scatter_(1, none, 1.0)[:, :classes]
    return Seen(z=z, index=torch.where(known, target[:, None], 0), truth=truth, known=known, weights=weights.view(1, -1, 1, 1))


class Reading(Protocol):
    """Logits as answers to questions, and how sure they are of what is true."""

    @property
    def seen(self) -> Seen:
        """The batch that is read."""

    def probabilities(self) -> torch.Tensor:
        """(windows, classes, rows, cols)."""

    def right(self) -> torch.Tensor:
        """(windows, questions, rows, cols): log of the probability p of what is true."""

    def wrong(self) -> torch.Tensor:
        """log(1 − p), shaped alike, without the cancellation."""

    def counts(self) -> torch.Tensor:
        """How much each question counts, shaped alike; 0 where nothing is known."""


@dataclass(frozen=True, slots=True)
class Exclusive:
    """One question per pixel: which class is it? Softmax."""

    seen: Seen

    def probabilities(self) -> torch.Tensor:
        """Softmax over the classes."""
        return self.seen.z.softmax(1)

    def right(self) -> torch.Tensor:
        """Log-probability of the true class. An index without a channel is a RuntimeError, or an assertion of the GPU."""
        return self.seen.z.log_softmax(1).gather(1, self.seen.index)

    def wrong(self) -> torch.Tensor:
        """Log-probability of all other classes together."""
        others = self.seen.z.scatter(1, self.seen.index, -torch.inf)
        return others.logsumexp(1, keepdim=True) - self.seen.z.logsumexp(1, keepdim=True)

    def counts(self) -> torch.Tensor:
        """The weight of the true class."""
        return (self.seen.truth * self.seen.weights).sum(1, keepdim=True)


@dataclass(frozen=True, slots=True)
class Apart:
    """A question per pixel and class: does it hold? Sigmoid."""

    seen: Seen

    def probabilities(self) -> torch.Tensor:
        """Sigmoid of each channel."""
        return self.seen.z.sigmoid()

    def right(self) -> torch.Tensor:
        """Log-probability that the class holds, or that it does not, whichever is true."""
        return F.logsigmoid(self._towards())

    def wrong(self) -> torch.Tensor:
        """Log-probability of the opposite."""
        return F.logsigmoid(-self._towards())

    def counts(self) -> torch.Tensor:
        """The weight of the channel."""
        return self.seen.weights * self.seen.known

    def _towards(self) -> torch.Tensor:
        return self.seen.z * (2 * self.seen.truth - 1)
