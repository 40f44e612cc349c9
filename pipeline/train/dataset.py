"""Where windows are cut and how they are changed, each by its number alone: whoever asks for number k, in whatever process or run, gets the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import TrainingConfig
from pipeline.errors import LabelsError
from pipeline.geometry.window import Window
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
        """Window ``number``. Raises LabelsError where the scenes have no valid labelled pixels, ReadError where they cannot be read."""
        rng = np.random.default_rng([self.training.seed, 2, number])
        for _ in range(MAX_EMPTY_WINDOWS):
            scene, centre = self._place(rng)
            window = self._cut(scene, centre, rng)
            if (window.label != UNKNOWN_INDEX).any():
                return window
        raise LabelsError(
            f"{MAX_EMPTY_WINDOWS} windows in a row hold no pixel that is both valid and labelled, the last of {scene.name}: its labels seem to lie "
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
        """A window that holds the pixel anywhere, within the area where that is large enough; turned, stretched and brightened."""
        side = self.training.window
        change = augment.draw_augmentation(self.training.augment, scene.image.bands, rng)
        offset = augment.to_source(change, *(int(rng.integers(side)) - (side - 1) / 2 for _ in "rc"))  # where in the window the pixel is to be, from its middle
        spans = ((scene.area.rows, pixel[0] - offset[0]), (scene.area.cols, pixel[1] - offset[1]))
        row, col = (_start(round(middle - (side - 1) / 2), side, span.start, span.stop) for span, middle in spans)
        grown = augment.reach(change, side)
        window = Window(row=row - (grown - side) // 2, col=col - (grown - side) // 2, height=grown, width=grown)
        label = self.table[scene.label_codes(window)]
        pixels, label = augment.apply(read_with_retries(scene.image, window, self.retries), label, change, side, UNKNOWN_INDEX)
        return TrainingWindow(pixels=pixels, label=label, rng=rng)


def _start(first: int, side: int, start: int, stop: int) -> int:
    """Where a window begins: inside the area, or around its middle where the area is smaller."""
    return min(max(first, start), stop - side) if stop - start >= side else (start + stop - side) // 2
