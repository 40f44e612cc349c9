"""What the channels of a network mean: how its numbers become classes."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models.probabilities import Activation


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDecoding:
    """What the network's channels mean."""

    activation: Activation
    """What turns logits into probabilities; ``none`` where the network already did."""
    threshold: float | tuple[float, ...]
    """Probability above which one channel means class 1. Several cut it into as many classes and one more. Where
    several classes
    may hold at once: what a channel must reach, one number for all or one for each."""
    codes: tuple[int, ...]
    """Class code of each channel; of all classes for one channel; last that of a background without a channel. Empty
    where channels are numbers and mean no class."""
    background: int | None = None
    """Where several classes may hold at once: the place in ``codes`` of what a pixel is where none reaches the
    threshold."""
    order: tuple[int, ...] = ()
    """Places in ``codes`` as the class table lists them; empty where that is their order already."""
    temperature: float = 1.0
    """What logits are divided by before the activation."""

    @property
    def outcomes(self) -> tuple[int, ...]:
        """Places in ``codes`` of what has a probability of its own, as the class table lists them.

        All classes; but the first and the last where one probability is cut by several thresholds: it is that of the
        last class, and the classes between have none.
        """
        if isinstance(self.threshold, tuple) and self.background is None:
            return 0, len(self.codes) - 1
        return self.order or tuple(range(len(self.codes)))
