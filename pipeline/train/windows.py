"""Windows as a network takes them, and which of them each device takes at each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from pipeline.inference.normalise import Normalisation, normalise
from pipeline.train import augment
from pipeline.train.dataset import WindowSampler

Example = tuple[torch.Tensor, torch.Tensor]
"""(bands, rows, cols) float32, normalised, 0 where invalid; (rows, cols) int64 indices, UNKNOWN where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Dataset[Example]):
    """Drawn windows, normalised."""

    sampler: WindowSampler
    normalisation: Normalisation

    def __getitem__(self, number: int) -> Example:
        """Window ``number``. Raises LabelsError, ReadError."""
        window = self.sampler(number)
        x = normalise(torch.from_numpy(window.pixels.data), torch.from_numpy(window.pixels.valid), self.normalisation, torch.device("cpu"))[0]
        x = augment.noisy(x, window.pixels.valid, self.sampler.training.augment.noise, window.rng)
        return x, torch.from_numpy(window.label.astype(np.int64))


class EpochSampler(Sampler[int]):
    """The numbers of one round's windows that fall to one of several devices.

    A batch is the same windows whatever the number of devices; each takes its part.

    Parameters
    ----------
    steps
        Of a round.
    batch
        Windows of a step, on all devices together.
    rank, ranks
        This device, and how many there are.
    """

    def __init__(self, steps: int, batch: int, rank: int = 0, ranks: int = 1) -> None:
        self._steps, self._batch, self._share, self._rank = steps, batch, batch // ranks, rank
        self._round = 0

    def set_epoch(self, number: int) -> None:
        """Say which round comes, from 0."""
        self._round = number

    def __len__(self) -> int:
        return self._steps * self._share

    def __iter__(self) -> Iterator[int]:
        for step in range(self._round * self._steps, (self._round + 1) * self._steps):
            first = step * self._batch + self._rank * self._share
            yield from range(first, first + self._share)
