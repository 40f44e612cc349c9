"""What is minimised: losses of logits against class indices, blind to pixels of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import torch
import torch.nn.functional as F

from pipeline.config import LossConfig

IGNORE_INDEX = 255
"""Class index of pixels of which nothing is known."""

LOSSES = ("cross_entropy", "binary_cross_entropy", "dice", "focal")


def named(how: LossConfig) -> dict[str, float]:
    """The losses that count and their weights; cross-entropy alone where none is named."""
    given = {name: float(getattr(how, name)) for name in LOSSES}
    return {name: weight for name, weight in given.items() if weight > 0} or {"cross_entropy": 1.0}


def class_weights(counts: Sequence[int]) -> list[float]:
    """Weights by the root of how rare each class is, 1 on average over the pixels.

    With the share sₖ of the known pixels, wₖ = sₖ^(−½) / Σⱼ sⱼ^(½), so that Σₖ sₖ·wₖ = 1: a class 100 times as rare counts 10 times
    as much per pixel and a tenth as much in all. (The full inverse lets a handful of rare pixels decide.)

    Parameters
    ----------
    counts
        Pixels of each class, all above 0: of a class that never occurs nothing can be learnt, which is for the caller to say.
    """
    total = sum(counts)
    roots = [sqrt(count / total) for count in counts]
    return [1 / (root * sum(roots)) for root in roots]


class Loss(torch.nn.Module):
    """The weighted sum of the losses that are named.

    One logit is read as two, (0, z): its softmax is the sigmoid of z, so that one channel and two learn the same, and both losses
    of the cross-entropy family are one. Where classes hold side by side (``multilabel``) every channel is a question of its own,
    answered by a sigmoid, and ``cross_entropy`` is read as ``binary_cross_entropy``.
    """

    weights: torch.Tensor | None

    def __init__(self, how: LossConfig, weights: Sequence[float] | None, multilabel: bool = False) -> None:
        """Take what is to be minimised.

        Parameters
        ----------
        how
            Which losses, each one's weight, and ``gamma``. Its ``classes`` is not read: what it asks for comes as ``weights``.
        weights
            One per class: of both classes for one logit, else of each channel. Cross-entropy and focal are averages in which a
            pixel weighs as much as its class (as torch's ``cross_entropy``), and where each channel has its sigmoid, as much as
            the channel; dice is an average in which a class weighs as much as its weight. None: all alike.
        multilabel
            Each channel is a class that holds or not. One channel is the same with and without.
        """
        super().__init__()
        self.parts, self.gamma, self.multilabel = named(how), float(how.gamma), multilabel
        self.register_buffer("weights", None if weights is None else torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, computed in float32 whatever the logits are.

        Parameters
        ----------
        logits
            (windows, channels, rows, cols), of any float dtype.
        target
            (windows, rows, cols) int64 indices of channels; 0 and 1 for one channel; the number of channels, where ``multilabel``,
            for a pixel of none of them; IGNORE_INDEX where nothing is known: there logits move neither the loss nor its gradient.

        Returns
        -------
        torch.Tensor
            A scalar; 0, with a gradient of 0, where nothing is known of any pixel.

        Raises
        ------
        ValueError
            The weights are not as many as the classes.
        """
        seen = _seen(logits, target, self.weights)
        apart = Apart(seen)
        reading: Reading = apart if self.multilabel and logits.shape[1] > 1 else Exclusive(seen)
        made = {
            "cross_entropy": lambda: cross_entropy(reading),
            "binary_cross_entropy": lambda: cross_entropy(reading if logits.shape[1] == 1 else apart),
            "dice": lambda: dice(reading),
            "focal": lambda: focal(reading, self.gamma),
        }
        return torch.stack([weight * made[name]() for name, weight in self.parts.items()]).sum()


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


def _seen(logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> Seen:
    known = (target != IGNORE_INDEX)[:, None]
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


def cross_entropy(reading: Reading) -> torch.Tensor:
    """Mean of −log p by the weights; p is the probability of what is true. Scalar ≥ 0."""
    counts = reading.counts()
    return _mean(-reading.right(), counts)


def focal(reading: Reading, gamma: float) -> torch.Tensor:
    """Mean of −(1 − p)^gamma · log p by the weights, which stand for its α (Lin et al. 2017, Focal loss, eq. 5). Scalar ≥ 0.

    The power is taken as exp(gamma · log(1 − p)): its gradient is finite where p is 1, whatever gamma. Gamma 0 is cross-entropy.
    """
    return _mean(-(gamma * reading.wrong()).exp() * reading.right(), reading.counts())


def dice(reading: Reading) -> torch.Tensor:
    """1 − the mean by the weights of the classes' soft Dice coefficients, 2·Σ p·t / (Σ p² + Σ t²) (Milletari et al. 2016, V-Net).

    The sums run over all known pixels of the batch. The classes are those that its labels show: the coefficient of any other is 0
    and has no slope, so that it would only add a constant. One logit counts as both its classes; weights [0, 1] leave the second,
    as the paper has it. Scalar within 0–1.
    """
    p, truth = reading.probabilities() * reading.seen.known, reading.seen.truth
    shared, squares, shown = (term.sum((0, 2, 3)) for term in (p * truth, p * p + truth, truth))
    return _mean(1 - 2 * shared / torch.where(squares > 0, squares, 1.0), reading.seen.weights.flatten() * (shown > 0))


def _mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean by weights; 0 where there are none."""
    total = counts.sum()
    return (values * counts).sum() / torch.where(total > 0, total, 1.0)
