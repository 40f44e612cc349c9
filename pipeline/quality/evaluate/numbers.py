"""The values of a store against labels that are numbers, a piece at a time; memory does not grow with the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.aoi_labels import StoreArea
from pipeline.quality.evaluate.evaluate import piece_side, pieces, require_committed, whole_window
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.quality.labels.numbers import NumberLabels
from pipeline.store.reader import StoreLevel

Numbers = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class ChannelScore:
    """What was counted of one channel: sums over its labelled pixels that hold a number."""

    name: str
    pixels: int = 0
    """Labelled pixels that hold a number."""
    missed: int = 0
    """Labelled pixels that hold none."""
    error: float = 0.0
    """Sum of the errors, stored number less label."""
    absolute: float = 0.0
    """Sum of their sizes."""
    squares: float = 0.0
    """Sum of their squares."""
    label_mean: float = 0.0
    label_squares: float = 0.0
    """Sum of the squares of what labels differ from their mean."""

    def add(self, numbers: Numbers, labels: Numbers) -> None:
        """Count (rows, cols) of a piece, each NaN where nothing is known."""
        known = ~np.isnan(labels)
        judged = known & ~np.isnan(numbers)
        self.missed += int((known & ~judged).sum())
        truth, error = labels[judged], numbers[judged] - labels[judged]
        self.error += float(error.sum())
        self.absolute += float(np.abs(error).sum())
        self.squares += float((error**2).sum())
        self._add_labels(truth)

    @property
    def rmse(self) -> float:
        """Root of the mean squared error; NaN of no pixel, as all of these."""
        return math.sqrt(self.squares / self.pixels) if self.pixels else math.nan

    @property
    def mae(self) -> float:
        """Mean size of the error."""
        return self.absolute / self.pixels if self.pixels else math.nan

    @property
    def bias(self) -> float:
        """Mean error: above 0 where stored numbers are too large."""
        return self.error / self.pixels if self.pixels else math.nan

    @property
    def r2(self) -> float:
        """Share of the variance of the labels that is explained, 1 − SSE / SST; NaN where labels are all alike."""
        return 1 - self.squares / self.label_squares if self.label_squares else math.nan

    def _add_labels(self, labels: Numbers) -> None:
        """Mean and squares of two sets of numbers together (Chan, Golub & LeVeque 1983, equation 2.1)."""
        if not labels.size:
            return
        mean, total = float(labels.mean()), self.pixels + labels.size
        difference = mean - self.label_mean
        self.label_squares += float(((labels - mean) ** 2).sum()) + difference**2 * self.pixels * labels.size / total
        self.label_mean += difference * labels.size / total
        self.pixels = total


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberEvaluation:
    """What was found of the channels that are judged."""

    channels: tuple[ChannelScore, ...]
    committed: int
    """Blocks of the store that are committed."""
    blocks: int
    """Blocks of the store."""


def evaluate_numbers(
    store: StoreLevel,
    labels: NumberLabels,
    *,
    window: Window | None = None,
    area: StoreArea | None = None,
    partial: bool = False,
    samples: Sequence[PairSamples] = (),
    side: int | None = None,
) -> NumberEvaluation:
    """Compare the values of a store with labels.

    A labelled pixel that holds no number is missed: it is counted apart, and changes no error.

    Parameters
    ----------
    store
        One level of it, with values.
    labels
        On the grid of that level.
    window
        The part that is judged, px of the level. Everything by default.
    area
        That the store was asked for, on the grid of the level; None for all of it.
    partial
        Judge the committed blocks of a store that is unfinished.
    samples
        Where numbers of the first channels are kept for maps, of the same part.
    side
        Of the pieces, px; changes no number but for the rounding of sums.

    Raises
    ------
    StoreError
        It is unfinished, and ``partial`` is not said.
    LabelsError
        They cannot be read.
    InputError
        No pixel of the store has a label.
    """
    assert labels.grid == store.grid
    assert store.values is not None
    committed = require_committed(store, partial)
    scores = tuple(ChannelScore(name=store.values.channels[k]) for k in labels.channels)
    for piece in pieces(window or whole_window(store), side or piece_side(store.chunk)):
        inside = None if area is None else area.read(piece)
        if committed < store.blocks:
            there = store.committed(piece)
            inside = there if inside is None else inside & there
        for place, (score, channel) in enumerate(zip(scores, labels.channels, strict=True)):
            truth = labels.read(place, piece)
            if inside is not None:
                truth[~inside] = np.nan
            if not np.isnan(truth).all():
                numbers = store.read_channel(channel, piece)
                score.add(numbers, truth)
                for kept in samples[place : place + 1]:
                    kept.add(piece, truth, numbers)
    if not any(score.pixels + score.missed for score in scores):
        raise InputError(
            f"No pixel that is judged has a label, so that {store.path} cannot be evaluated. Give labels of this "
            f"place, or another --area."
        )
    return NumberEvaluation(channels=scores, committed=committed, blocks=store.blocks)
