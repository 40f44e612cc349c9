"""The seams at which a run and its reference differ most, kept beside the certificate for whoever looks at them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.inference.read import read_with_retries
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.quality.verify.logit_differences import Bools, ComparisonWindow, Logits
from pipeline.quality.verify.seam_places import EXAMPLES, example_key
from pipeline.store.files import files_at

_NUMBERS = ("image", "valid", "whole", "tiled", "difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeamExample:
    """A window at a seam, as a run has it and as its reference has it."""

    window: Window
    error: float
    """Largest difference, in the unit of the logits."""
    image: npt.NDArray[Any]
    """(bands, rows, cols) of the source, those of its picture; no band where the store keeps no picture."""
    valid: Bools
    """(rows, cols)."""
    whole: npt.NDArray[Any]
    """(rows, cols) codes of the reference."""
    tiled: npt.NDArray[Any]
    """(rows, cols) codes of the run."""
    difference: npt.NDArray[np.float32]
    """(rows, cols) the largest over the channels; 0 where invalid."""


@dataclass(slots=True)
class WorstSeams:
    """The worst of those that were looked at, the worst first."""

    examples: list[SeamExample] = field(default_factory=list)

    def add(
        self, job: Job, view: ComparisonWindow, reference: Logits, tiled: npt.NDArray[Any], whole: npt.NDArray[Any]
    ) -> None:
        """Look at one more seam.

        Parameters
        ----------
        job
            Of the store.
        view, reference
            (classes, rows, cols) of the run and of the reference.
        tiled, whole
            (rows, cols) codes of both.
        """
        assert view.logits is not None
        valid = ~np.isnan(view.logits[0])
        difference = np.where(valid, np.nan_to_num(np.abs(view.logits - reference).max(0)), 0).astype(np.float32)
        error = float(difference.max())
        if len(self.examples) == EXAMPLES and error <= self.examples[-1].error:
            return
        bands = () if job.spec.picture is None else job.spec.picture.bands
        pixels = read_with_retries(job.source, view.window, job.task.retries)
        self.examples.append(
            SeamExample(
                window=view.window,
                error=error,
                image=pixels.data[list(bands)],
                valid=valid,
                whole=whole,
                tiled=tiled,
                difference=difference,
            )
        )
        self.examples.sort(key=lambda example: -example.error)
        del self.examples[EXAMPLES:]


def write_examples(store: Place, examples: Sequence[SeamExample]) -> None:
    """Keep examples in a store, in the place of those that it has: below an array, where no Zarr reader looks."""
    files = files_at(store)
    for number in range(EXAMPLES):
        key = example_key(store, number)
        if number >= len(examples):
            files.delete(key)
            continue
        example, buffer = examples[number], io.BytesIO()
        place = [getattr(example.window, name) for name in ("row", "col", "height", "width")]
        arrays = {name: getattr(example, name) for name in _NUMBERS}
        np.savez_compressed(
            buffer, about=np.frombuffer(json.dumps([place, example.error]).encode(), np.uint8), **arrays
        )
        files.put(key, buffer.getvalue())


def read_examples(store: Place) -> list[SeamExample]:
    """The examples in a store, the worst first; none where it was not verified, or by an earlier release."""
    stored = (files_at(store).get(example_key(store, number)) for number in range(EXAMPLES))
    return [_example(data) for data in stored if data is not None]


def _example(data: bytes) -> SeamExample:
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    (row, col, height, width), error = json.loads(arrays["about"].tobytes())
    window = Window(row=row, col=col, height=height, width=width)
    return SeamExample(window=window, error=error, **{name: arrays[name] for name in _NUMBERS})
