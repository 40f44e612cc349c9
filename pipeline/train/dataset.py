"""Where windows are cut and how they are changed, each by its number alone.

Whoever asks for number k, in whatever process or run, gets the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from pipeline.config import AugmentConfig, TrainingConfig
from pipeline.errors import LabelsError, SourceError
from pipeline.geometry.window import Window
from pipeline.inference.normalise import Normalisation, normalise, pooled
from pipeline.inference.read import read_with_retries
from pipeline.interfaces import Pixels
from pipeline.train import augment
from pipeline.train.class_counts import ClassCounts
from pipeline.train.scenes import UNKNOWN_INDEX, Scene

MAX_EMPTY_WINDOWS = 50
"""Windows in a row that may turn out to hold no valid labelled pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWindow:
    """One window, changed."""

    pixels: Pixels
    """(bands, rows, cols) raw values; anything where invalid."""
    label: npt.NDArray[np.uint8]
    """(rows, cols) indices; UNKNOWN where invalid or where nothing is known."""
    rng: np.random.Generator
    """What further numbers of this window are drawn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSampler:
    """All windows that a training may ask for; small and picklable."""

    class_counts: ClassCounts
    table: npt.NDArray[np.uint8]
    """Class code → index."""
    training: TrainingConfig
    retries: int
    """Further tries to read a window."""

    def __call__(self, number: int) -> TrainingWindow:
        """Window ``number``.

        Raises LabelsError where the scenes have no valid labelled pixels, ReadError where they cannot be read.
        """
        rng = np.random.default_rng([self.training.seed, 2, number])
        for _ in range(MAX_EMPTY_WINDOWS):
            scene, centre = self._place(rng)
            window = self._cut(scene, centre, rng)
            if (window.label != UNKNOWN_INDEX).any():
                return window
        raise LabelsError(
            f"{MAX_EMPTY_WINDOWS} windows in a row hold no pixel that is both valid and labelled, the last "
            f"of {scene.name}: its labels seem to lie "
            f"where the image is "
            "nodata. Check source.nodata, or give training.scenes an area."
        )

    def _place(self, rng: np.random.Generator) -> tuple[Scene, tuple[int, int]]:
        """A scene and a labelled pixel of it: of a class that is drawn evenly, or of whatever there is."""
        fair = rng.random() < self.training.balance
        kind = int(rng.choice(self.class_counts.present))
        shares = self.class_counts.shares[kind if fair else -1]
        number, cell = self.class_counts.places[int(shares.searchsorted(rng.random(), side="right"))]
        scene = self.class_counts.scenes[number]
        window = scene.window(cell)
        labels = self.table[scene.label_codes(window)]
        candidates = np.flatnonzero(labels == kind if fair else labels != UNKNOWN_INDEX)
        row, col = divmod(int(rng.choice(candidates)), window.width)
        return scene, (window.row + row, window.col + col)

    def _cut(self, scene: Scene, pixel: tuple[int, int], rng: np.random.Generator) -> TrainingWindow:
        """A window that holds the pixel anywhere, within the area where that is large enough.

        Turned, stretched and brightened.
        """
        side = self.training.window
        change = augment.draw_augmentation(self.training.augment, scene.image.bands, rng)
        # where in the window the pixel is to be, from its middle
        offset = augment.to_source(change, *(int(rng.integers(side)) - (side - 1) / 2 for _ in "rc"))
        spans = ((scene.area.rows, pixel[0] - offset[0]), (scene.area.cols, pixel[1] - offset[1]))
        row, col = (_start(round(middle - (side - 1) / 2), side, span.start, span.stop) for span, middle in spans)
        grown = augment.reach(change, side)
        window = Window(row=row - (grown - side) // 2, col=col - (grown - side) // 2, height=grown, width=grown)
        label = self.table[scene.label_codes(window)]
        pixels, label = augment.apply(
            read_with_retries(scene.image, window, self.retries), label, change, side, UNKNOWN_INDEX
        )
        return TrainingWindow(pixels=pixels, label=label, rng=rng)


def _start(first: int, side: int, start: int, stop: int) -> int:
    """Where a window begins: inside the area, or around its middle where the area is smaller."""
    return min(max(first, start), stop - side) if stop - start >= side else (start + stop - side) // 2


Example = tuple[torch.Tensor, torch.Tensor]
"""(bands, rows, cols) float32, normalised, 0 where invalid; (rows, cols) int64 indices, UNKNOWN where nothing is
known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Dataset[Example]):
    """Drawn windows, normalised."""

    sampler: WindowSampler
    normalisation: Normalisation

    def __getitem__(self, number: int) -> Example:
        """Window ``number``. Raises LabelsError, ReadError."""
        window = self.sampler(number)
        x = normalise(
            torch.from_numpy(window.pixels.data),
            torch.from_numpy(window.pixels.valid),
            self.normalisation,
            torch.device("cpu"),
        )[0]
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


SAMPLED_WINDOWS = 64
"""Windows that are looked at."""
NO_AUGMENTATION = AugmentConfig(flip=False, turn=False, gain=0)


def measure_normalisation(sampler: WindowSampler) -> dict[str, list[float]]:
    """Mean and standard deviation of each band over valid pixels, to a hundredth or less of the standard deviation.

    Raises
    ------
    SourceError
        A band has the same value everywhere.
    """
    unaugmented = replace(
        sampler, training=sampler.training.model_copy(update={"augment": NO_AUGMENTATION, "balance": 0.0})
    )
    windows = (unaugmented(number).pixels for number in range(SAMPLED_WINDOWS))
    parts = [
        (pixels.shape[1], pixels.mean(1), pixels.var(1))
        for pixels in (window.data[:, window.valid].astype(np.float64) for window in windows)
    ]
    counts, means, variances = (np.array(part) for part in zip(*parts, strict=True))
    mean, std = pooled(counts, means, variances)
    if not std.all():
        band = int(np.argmin(std)) + 1
        raise SourceError(
            f"Band {band} of those read has one value in all windows looked at. Leave it out with "
            f"source.bands, or give model.input."
        )
    digits = [2 - math.floor(math.log10(value)) for value in std]
    return {
        name: [round(float(value), decimals) for value, decimals in zip(values, digits, strict=True)]
        for name, values in (("mean", mean), ("std", std))
    }
