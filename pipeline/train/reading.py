"""Logits read as probabilities: of classes that exclude each other, or of classes that hold side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from pipeline.train.scenes import UNKNOWN_INDEX


@dataclass(frozen=True, slots=True, kw_only=True)
class LossBatch:
    """A batch, its unknown pixels blanked."""

    z: torch.Tensor
    """(windows, classes, rows, cols) float32 logits; constants 0 where nothing is known."""
    index: torch.Tensor
    """(windows, 1, rows, cols) int64; 0 where nothing is known."""
    truth: torch.Tensor
    """(windows, classes, rows, cols) float32: 1 where the class holds, 0 elsewhere and where nothing is known."""
    labelled: torch.Tensor
    """(windows, 1, rows, cols) bool."""
    weights: torch.Tensor
    """(1, classes, 1, 1) float32."""


def blanked(logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> LossBatch:
    """A batch ready to be read; one logit becomes two.

    Raises ValueError where the weights are not as many as the classes.
    """
    labelled = (target != UNKNOWN_INDEX)[:, None]
    z = torch.where(labelled, logits.float(), 0.0)
    z = torch.cat([torch.zeros_like(z), z], 1) if z.shape[1] == 1 else z
    classes = z.shape[1]
    weights = z.new_ones(classes) if weights is None else weights
    if len(weights) != classes:
        raise ValueError(f"there are {len(weights)} class weights for {classes} classes; give one for each")
    class_index = torch.where(labelled, target[:, None], classes)
    truth = z.new_zeros(z.shape[0], classes + 1, *z.shape[2:]).scatter_(1, class_index, 1.0)[:, :classes]
    return LossBatch(
        z=z,
        index=torch.where(labelled, target[:, None], 0),
        truth=truth,
        labelled=labelled,
        weights=weights.view(1, -1, 1, 1),
    )


class LogitView(Protocol):
    """Logits as answers to questions, and how sure they are of what is true."""

    @property
    def batch(self) -> LossBatch:
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
class SoftmaxView:
    """One question per pixel: which class is it? Softmax."""

    batch: LossBatch

    def probabilities(self) -> torch.Tensor:
        """Softmax over the classes."""
        return self.batch.z.softmax(1)

    def right(self) -> torch.Tensor:
        """Log-probability of the true class.

        An index without a channel is a RuntimeError, or an assertion of the GPU.
        """
        return self.batch.z.log_softmax(1).gather(1, self.batch.index)

    def wrong(self) -> torch.Tensor:
        """Log-probability of all other classes together."""
        other_logits = self.batch.z.scatter(1, self.batch.index, -torch.inf)
        return other_logits.logsumexp(1, keepdim=True) - self.batch.z.logsumexp(1, keepdim=True)

    def counts(self) -> torch.Tensor:
        """The weight of the true class."""
        return (self.batch.truth * self.batch.weights).sum(1, keepdim=True)


@dataclass(frozen=True, slots=True)
class SigmoidView:
    """A question per pixel and class: does it hold? Sigmoid."""

    batch: LossBatch

    def probabilities(self) -> torch.Tensor:
        """Sigmoid of each channel."""
        return self.batch.z.sigmoid()

    def right(self) -> torch.Tensor:
        """Log-probability that the class holds, or that it does not, whichever is true."""
        return F.logsigmoid(self._towards())

    def wrong(self) -> torch.Tensor:
        """Log-probability of the opposite."""
        return F.logsigmoid(-self._towards())

    def counts(self) -> torch.Tensor:
        """The weight of the channel."""
        return self.batch.weights * self.batch.labelled

    def _towards(self) -> torch.Tensor:
        return self.batch.z * (2 * self.batch.truth - 1)
