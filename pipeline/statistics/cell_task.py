"""The work of a pass: read one cell by strips, count its valid pixels, and record the counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InferenceError, ModelError, PipelineError, ReadError, Unfinished
from pipeline.geometry.window import Window
from pipeline.inference.read import read_with_retries
from pipeline.interfaces import Pixels, Source
from pipeline.runtime.cancellation import CANCELLED
from pipeline.statistics.cells import CellLattice
from pipeline.statistics.counting import Counting, PlaneCounts
from pipeline.statistics.records import CellRecords
from pipeline.store.files.outage import outage_as_unfinished

if TYPE_CHECKING:
    import torch

    from pipeline.sources.only.area import RequestedArea

SCRATCH_BYTES = 34
"""Per pixel of a strip, beside its raw pixels: what is valid and why not, and one band with its sort keys or its
float64 numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """What became of a cell."""

    index: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPixels:
    """Where the numbers of a cell come from. Small, and pickles."""

    source: Source
    lattice: CellLattice
    retries: int
    area: RequestedArea | None = None
    """Pixels beyond it do not count."""
    transform: Callable[[torch.Tensor], torch.Tensor] | None = None
    """What changes raw pixels first; it pickles."""
    channels: int = 0
    """Bands that it returns."""
    joint: bool = False
    """Whether all bands are one plane."""

    @property
    def bytes_at_once(self) -> int:
        """Bytes that counting one strip takes, beside the counts."""
        changed = 0 if self.transform is None else 4 * (self.source.bands + 2 * self.channels)
        raw = 2 * self.source.bands * self.source.dtype.itemsize
        return self.lattice.strip_px * (raw + changed + SCRATCH_BYTES) + self.source.working_bytes

    def count(self, index: int, counting: Counting) -> PlaneCounts:
        """Count the valid pixels of a cell, strip by strip.

        Raises
        ------
        ReadError
            A strip cannot be read.
        InferenceError, ModelError
            The transform fails, or gives a valid pixel no number.
        Unfinished
            The run was stopped.
        """
        counts = counting.empty()
        for strip in self.lattice.strips(index):
            if CANCELLED.is_set():
                raise Unfinished("The run was stopped. Run the same command again to go on with it.")
            self.count_strip(strip, counting, counts)
        return counts

    def count_strip(self, strip: Window, counting: Counting, counts: PlaneCounts) -> None:
        """Count the valid pixels of one strip; errors are those of `count`."""
        inside = None if self.area is None else self.area.read(strip)
        if inside is not None and not inside.any():
            return
        pixels = read_with_retries(self.source, strip, self.retries)
        valid = pixels.valid if inside is None else pixels.valid & inside
        if not valid.any():
            return
        every = bool(valid.all())
        for band, values in enumerate(self._transformed(pixels, valid, strip)):
            counting.add(counts, 0 if self.joint else band, values.ravel() if every else values[valid])

    def _transformed(self, pixels: Pixels, valid: npt.NDArray[np.bool_], strip: Window) -> npt.NDArray[np.generic]:
        import torch

        if self.transform is None:
            return pixels.data
        changed = self.transform(torch.from_numpy(pixels.data).to(torch.float32, copy=True)).numpy()
        if not np.isfinite(changed[:, valid]).all():
            raise InferenceError(f"model.input.transform gives NaN or infinity for valid pixels of {strip}")
        return np.asarray(changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTask:
    """Counts a cell and commits its record."""

    pixels: CellPixels
    records: CellRecords

    def __call__(self, index: int) -> CellOutcome:
        """Count a cell, unless another run has; one that cannot be counted is an outcome, not an exception."""
        with outage_as_unfinished(self.records.folder):
            if self.records.exists(index):
                return CellOutcome(index=index)
            try:
                counts = self.pixels.count(index, self.records.counting)
            except (ReadError, InferenceError, ModelError) as error:
                return CellOutcome(index=index, error=str(error))
            self.records.commit(index, counts)
            return CellOutcome(index=index)

    def failed(self, index: int, reason: str) -> CellOutcome:
        """What became of a cell that no process lived to tell of."""
        return CellOutcome(index=index, error=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequirements:
    """What cells need in each process of a cluster: the raster that the job was planned with. Small, and pickles."""

    source: Source
    identity: dict[str, Any]
    """What makes the raster this raster, where the run was started."""

    def __call__(self, room: int | None) -> tuple[str, ...]:
        """What lacks in this process, in words."""
        CANCELLED.clear()
        try:
            same = self.source.identity() == self.identity
        except PipelineError as error:
            return (f"the raster: {str(error).rstrip('.')}",)
        return () if same else (f"the raster: {self.identity['path']} is there, and another one",)

    def abort(self) -> None:
        """Stop the cells that are under way."""
        CANCELLED.set()

    def release(self) -> None:
        """Nothing is kept open for a run."""
