"""What a run decoded in a window against its reference and against what is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.window import Window
from pipeline.inference import layers
from pipeline.inference.recipe import Recipe

Logits = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SEAM_DISTANCE_PX = 16
"""Pixels from a line within which a pixel counts as near a seam."""
TIES = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 4e-3}
"""Rounding of logits by precision, in their standard deviations: where the two best are closer, either label is
right."""


@dataclass(slots=True, eq=False)
class ComparisonWindow:
    """A window that is looked at, filled block by block."""

    window: Window
    is_at_seam: bool
    logits: Logits | None = None
    """(classes, rows, cols) as the run has them, NaN where no pixel is wanted; None while none is."""
    near: Bools = field(init=False)
    """(rows, cols) whether a seam is near."""

    def __post_init__(self) -> None:
        self.near = np.zeros((self.window.height, self.window.width), dtype=bool)

    def fill(self, part: Window, logits: Logits, near: Bools) -> None:
        """What one tile or block says of a part."""
        where = part.index_in(self.window)
        if self.logits is None:
            self.logits = np.full((len(logits), self.window.height, self.window.width), np.nan, dtype=np.float32)
        self.logits[(slice(None), *where)] = logits
        self.near[where] = near

    def answer(self, recipe: Recipe) -> ComparisonWindow:
        """The same without the variance that may follow what is decoded; it is filled already."""
        view = ComparisonWindow(
            self.window, self.is_at_seam, None if self.logits is None else recipe.answer_of(self.logits)
        )
        view.near = self.near
        return view


@dataclass(slots=True)
class Differences:
    """Errors of many pixels: of each, the largest over its classes."""

    pixels: int = 0
    largest: float = 0.0
    squares: float = 0.0
    flips: int = 0
    """Labels that differ."""

    def add(self, error: npt.NDArray[np.float64], flipped: Bools) -> None:
        """Count (n,) pixels."""
        self.pixels += len(error)
        self.largest = max(self.largest, float(error.max(initial=0.0)))
        self.squares += float((error**2).sum())
        self.flips += int(flipped.sum())

    def document(self, std: float) -> dict[str, Any]:
        """Plain values, errors in units of ``std``."""
        rms = math.sqrt(self.squares / max(self.pixels, 1))
        return {
            "pixels": self.pixels,
            "max": _json_number(self.largest / std),
            "rms": _json_number(rms / std),
            "flips": self.flips,
        }


@dataclass(slots=True)
class WindowErrors:
    """Windows of one kind against their references."""

    windows: int = 0
    near: Differences = field(default_factory=Differences)
    far: Differences = field(default_factory=Differences)
    variances: list[float] = field(default_factory=list)

    def add(self, view: ComparisonWindow, reference: Logits, flipped: Bools, *, variance: float | None = None) -> None:
        """Count one window of which something is wanted.

        Parameters
        ----------
        view, reference
            (classes, rows, cols) of the run and of the reference.
        flipped
            (rows, cols) whether labels differ.
        variance
            Of the reference, by default that over all its classes.
        """
        assert view.logits is not None
        valid = ~np.isnan(view.logits[0])
        error = np.nan_to_num(np.abs(view.logits - reference).max(0).astype(np.float64), nan=np.inf)
        self.windows += 1
        self.variances.append(float(np.var(reference[:, valid])) if variance is None else variance)
        for where, differences in ((valid & view.near, self.near), (valid & ~view.near, self.far)):
            differences.add(error[where], flipped[where])

    @property
    def largest(self) -> float:
        """The largest error of all."""
        return max(self.near.largest, self.far.largest)

    def document(self, std: float, by_distance: bool) -> dict[str, Any]:
        """Plain values; near and away from seams where they are told apart."""
        total = Differences(
            pixels=self.near.pixels + self.far.pixels,
            largest=self.largest,
            squares=self.near.squares + self.far.squares,
            flips=self.near.flips + self.far.flips,
        )
        parts = {"near": self.near.document(std), "away": self.far.document(std)} if by_distance else {}
        return {"windows": self.windows, **total.document(std), **parts}


def logit_std(*window_errors: WindowErrors) -> float:
    """Standard deviation of the logits over all windows."""
    variances = [variance for errors in window_errors for variance in errors.variances if math.isfinite(variance)]
    return max(float(np.mean(variances)) ** 0.5, 1e-30) if variances else 1.0


def undecided(logits: Logits, recipe: Recipe, where: Bools) -> Bools:
    """(rows, cols) whether rounding may turn the label.

    It is another one where any channel is a little more or a little less.

    Parameters
    ----------
    logits
        (classes, rows, cols), NaN where no pixel is wanted; the variance that may follow decides no label.
    recipe
        Of the run.
    where
        (rows, cols) of the pixels that are asked about, and no others: each takes two decodings per channel.
    """
    logits = recipe.answer_of(logits)
    valid = ~np.isnan(logits[0])
    nearly = TIES[recipe.precision] * (float(logits[:, valid].std()) if valid.any() else 0.0)
    result: Bools = valid & where
    result[result] = _label_may_turn(np.ascontiguousarray(logits[:, None, result]), nearly, recipe)
    return result


def _label_may_turn(logits: Logits, nearly: float, recipe: Recipe) -> Bools:
    """(n,) of (classes, 1, n) pixels, which are changed on the way."""
    turns = np.zeros(logits.shape[1:], dtype=bool)
    if not turns.size:
        return np.asarray(turns[0])
    label = _labels(logits, recipe)
    for channel in logits:
        original = channel.copy()
        for change in (nearly, -nearly):
            np.add(original, change, out=channel)
            turns |= _labels(logits, recipe) != label
        channel[:] = original
    return np.asarray(turns[0])


def _labels(logits: Logits, recipe: Recipe) -> npt.NDArray[np.unsignedinteger[Any]]:
    mask_alone = replace(recipe, layers=("mask",), has_variance=False)
    return np.asarray(layers.decoded(torch.from_numpy(logits), recipe.decoding_after_blend, mask_alone)["mask"])


def _json_number(value: float) -> float | None:
    """JSON knows no infinity."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
