"""What is minimised: losses of logits against class indices, blind to pixels of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch

from pipeline.config import LossConfig
from pipeline.train.reading import LogitView, SigmoidView, SoftmaxView, blanked

LOSSES = ("cross_entropy", "binary_cross_entropy", "dice", "focal")


def active_losses(config: LossConfig) -> dict[str, float]:
    """The losses that count and their weights; cross-entropy alone where none is named."""
    given = {name: float(getattr(config, name)) for name in LOSSES}
    return {name: weight for name, weight in given.items() if weight > 0} or {"cross_entropy": 1.0}


def class_weights(counts: Sequence[int]) -> list[float]:
    """Weights by the root of how rare each class is, 1 on average over the pixels.

    With the share sₖ of the known pixels, wₖ = sₖ^(−½) / Σⱼ sⱼ^(½), so that Σₖ sₖ·wₖ = 1: a class 100 times as rare
    counts 10 times as much per pixel and a tenth as much in all. (The full inverse lets a handful of rare pixels
    decide.)

    Parameters
    ----------
    counts
        Pixels of each class. One that never occurs weighs nothing; whether that is a mistake is for the caller to say.
    """
    total = sum(counts)
    roots = [sqrt(count / total) for count in counts]
    return [1 / (root * sum(roots)) if root else 0.0 for root in roots]


class Loss(torch.nn.Module):
    """The weighted sum of the losses that are named.

    One logit is read as two, (0, z): its softmax is the sigmoid of z, so that one channel and two learn the same, and
    both losses of the cross-entropy family are one. Where classes hold side by side (``multilabel``) every channel is a
    question of its own, answered by a sigmoid, and ``cross_entropy`` is read as ``binary_cross_entropy``.
    """

    weights: torch.Tensor | None

    def __init__(self, config: LossConfig, weights: Sequence[float] | None, multilabel: bool = False) -> None:
        """Take what is to be minimised.

        Parameters
        ----------
        config
            Which losses, each one's weight, and ``gamma``. Its ``classes`` is not read: what it asks for comes as
            ``weights``.
        weights
            One per class: of both classes for one logit, else of each channel. Cross-entropy and focal are averages in
            which a pixel weighs as much as its class (as torch's ``cross_entropy``), and where each channel has its
            sigmoid, as much as the channel; dice is an average in which a class weighs as much as its weight. None: all
            alike.
        multilabel
            Each channel is a class that holds or not. One channel is the same with and without.
        """
        super().__init__()
        self.parts, self.gamma, self.multilabel = active_losses(config), float(config.gamma), multilabel
        self.register_buffer(
            "weights", None if weights is None else torch.tensor(weights, dtype=torch.float32), persistent=False
        )

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, computed in float32 whatever the logits are.

        Parameters
        ----------
        logits
            (windows, channels, rows, cols), of any float dtype.
        target
            (windows, rows, cols) int64 indices of channels; 0 and 1 for one channel; the number of channels, where
            ``multilabel``, for a pixel of none of them; UNKNOWN where nothing is known: there logits move neither the
            loss nor its gradient.

        Returns
        -------
        torch.Tensor
            A scalar; 0, with a gradient of 0, where nothing is known of any pixel.

        Raises
        ------
        ValueError
            The weights are not as many as the classes.
        """
        batch = blanked(logits, target, self.weights)
        sigmoid_view = SigmoidView(batch)
        view: LogitView = sigmoid_view if self.multilabel and logits.shape[1] > 1 else SoftmaxView(batch)
        losses = {
            "cross_entropy": lambda: cross_entropy(view),
            "binary_cross_entropy": lambda: cross_entropy(view if logits.shape[1] == 1 else sigmoid_view),
            "dice": lambda: dice(view),
            "focal": lambda: focal(view, self.gamma),
        }
        return torch.stack([weight * losses[name]() for name, weight in self.parts.items()]).sum()


def cross_entropy(view: LogitView) -> torch.Tensor:
    """Mean of −log p by the weights; p is the probability of what is true. Scalar ≥ 0."""
    counts = view.counts()
    return _mean(-view.right(), counts)


def focal(view: LogitView, gamma: float) -> torch.Tensor:
    """Mean of −(1 − p)^gamma · log p by the weights, which stand for its α (Lin et al. 2017, Focal loss, eq. 5).

    Scalar ≥ 0.

    The power is taken as exp(gamma · log(1 − p)): its gradient is finite where p is 1, whatever gamma. Gamma 0 is
    cross-entropy.
    """
    return _mean(-(gamma * view.wrong()).exp() * view.right(), view.counts())


def dice(view: LogitView) -> torch.Tensor:
    """1 − the mean by the weights of the classes' soft Dice coefficients.

    A coefficient is 2·Σ p·t / (Σ p² + Σ t²) (Milletari et al. 2016, V-Net).

    The sums run over all known pixels of the batch. The classes are those that its labels show: the coefficient of any
    other is 0 and has no slope, so that it would only add a constant. One logit counts as both its classes; weights [0,
    1] leave the second, as the paper has it. Scalar within 0–1.
    """
    p, truth = view.probabilities() * view.batch.labelled, view.batch.truth
    shared, squares, label_sums = (term.sum((0, 2, 3)) for term in (p * truth, p * p + truth, truth))
    return _mean(
        1 - 2 * shared / torch.where(squares > 0, squares, 1.0), view.batch.weights.flatten() * (label_sums > 0)
    )


def _mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean by weights; 0 where there are none."""
    total = counts.sum()
    return (values * counts).sum() / torch.where(total > 0, total, 1.0)
