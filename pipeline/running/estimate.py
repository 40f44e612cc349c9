"""The pass over a raster that finds the numbers of ``model.input.normalise``, before there is a store.

::

    cells of the raster   0 1 2 3 4 5 6 7 8 9
    shard 1 of 2 counts   0 1 2 3 4, then what is missing of 5 … 9
    shard 2 of 2 counts   5 6 7 8 9, then what is missing of 0 … 4

Each cell has a commit record, so that runs that start together share the pass and one that was killed goes on. Records
are added up in the order of the lattice: whoever counted, the sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.engines import KINDS as ENGINES
from pipeline.errors import SourceError, StoreError
from pipeline.geometry.shards import Shard
from pipeline.interfaces import Engine
from pipeline.planning.job import Job
from pipeline.planning.normalisation import measure_of, measured_stretch
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.pass_cost import cell_pixels, cells_of_job, pass_workers
from pipeline.planning.prepare import prepare_job, with_numbers
from pipeline.running import engine_options
from pipeline.runtime.cancellation import cancel_on_error
from pipeline.runtime.progress import Progress
from pipeline.statistics.band_statistics import measure_bands
from pipeline.statistics.cell_task import CellRequirements, CellTask
from pipeline.statistics.counting import Counting, PlaneCounts
from pipeline.statistics.records import CellRecords, delete_records, digest_of, records_place
from pipeline.store import lifecycle
from pipeline.store.files.outage import outage_as_unfinished

FORMAT = 1
"""Of records: another number makes those of before count for nothing."""
AREA_KEYS = ("source.aoi", "source.only", "source.tissue")
"""Of a fingerprint: what a pass counts says its own area."""


class _StoreMade(Exception):
    """Another run has made the store, with the numbers in it."""


def estimate_numbers(job: Job, progress: Progress, shard: Shard | None = None, fresh: bool = False) -> Job:
    """The job with the numbers of its raster.

    Parameters
    ----------
    job
        Whose numbers are provisional; any other is returned as it is.
    progress
        Told how far the pass is.
    shard
        Counts its own share of the cells first.
    fresh
        Count anew, whatever an earlier run has counted, and whatever store is there.

    Raises
    ------
    SourceError
        A part of the raster cannot be read, no pixel is valid, or a band has nothing to divide by.
    Unfinished
        The run was stopped; what is counted stays.
    """
    if not job.provisional:
        return job
    if fresh:
        delete_records(job.path)
    normalise = job.normalise
    counted = _Pass(job=job, progress=progress, shard=shard, fresh=fresh)
    try:
        with _writable(job), cancel_on_error():
            statistics = measure_bands(measure_of(normalise, job.task.recipe.normalisation, job.source), counted.count)
    except _StoreMade:
        progress.say(f"another run has made {job.path}; its numbers are taken")
        return prepare_job(job.config, same_source=job.same_source)
    stretch = measured_stretch(normalise, statistics, job.config.source.place)
    progress.say(f"input: {normalise_sentence(stretch.record)}", "normalise", **stretch.record)
    return with_numbers(job, stretch)


@contextmanager
def _writable(job: Job) -> Iterator[None]:
    """Say that the folder of the store takes no records; raises StoreError, or Unfinished of storage that is away."""
    place = records_place(job.path)
    with outage_as_unfinished(place):
        try:
            yield
        except PermissionError as error:
            raise StoreError(
                f"The counts of model.input.normalise cannot be kept in {place} ({error.strerror}). Give an "
                f"output.path in a folder that can be written."
            ) from error


@dataclass(slots=True, kw_only=True)
class _Pass:
    """The passes of one job."""

    job: Job
    progress: Progress
    shard: Shard | None
    fresh: bool
    passes: int = field(default=0)

    def count(self, counting: Counting) -> PlaneCounts:
        """Pass once over the raster: count cells that have no record, then add all records up."""
        self.passes += 1
        records = CellRecords(folder=records_place(self.job.path) / _key(self.job), counting=counting)
        cells = cells_of_job(self.job)
        while True:
            self._count_cells(records, cells)
            counts = self._sum(records, cells)
            if counts is not None:
                return counts

    def _count_cells(self, records: CellRecords, cells: list[int]) -> None:
        committed = records.committed()
        missing = [index for index in _in_order(cells, self.shard) if index not in committed]
        if not missing:
            return
        name = f"pass {self.passes} for model.input.normalise"
        if committed:
            self.progress.say(f"{name}: {len(cells) - len(missing)} of {len(cells)} cells are counted already")
        done = len(cells) - len(missing)
        with _engine(self.job, records.counting, len(missing), self.progress.say) as engine:
            task = CellTask(pixels=cell_pixels(self.job), records=records)
            for outcome in engine(task, self._until_made(missing)):
                if outcome.error is not None:
                    raise SourceError(_unreadable(outcome.error))
                done += 1
                self.progress.status(f"{name}: {done} of {len(cells)} cells")

    def _until_made(self, cells: list[int]) -> Iterator[int]:
        for index in cells:
            if not self.fresh and lifecycle.exists(self.job.path) and not lifecycle.is_half_created(self.job.path):
                raise _StoreMade
            yield index

    def _sum(self, records: CellRecords, cells: list[int]) -> PlaneCounts | None:
        """All records, added up in the order of the lattice; None where one is gone or damaged."""
        counts = records.counting.empty()
        for index in cells:
            part = records.read(index)
            if part is None:
                return None
            records.counting.merge(counts, part)
        return counts


def _in_order(cells: list[int], shard: Shard | None) -> list[int]:
    """Those of the shard first."""
    if shard is None:
        return cells
    start = shard.span(len(cells)).start
    return cells[start:] + cells[:start]


def _key(job: Job) -> str:
    """What stands for raster, area, transform and lattice."""
    transform = job.task.recipe.normalisation.transform
    pixels = cell_pixels(job)
    identity = {
        name: value for name, value in job.fingerprint.items() if name.startswith("source.") and name not in AREA_KEYS
    }
    document: dict[str, Any] = {
        "format": FORMAT,
        "source": identity,
        "area": None if pixels.area is None else pixels.area.digest,
        "joint": pixels.joint,
        "transform": None if transform is None else transform.identity(),
        "lattice": [pixels.lattice.rows, pixels.lattice.cols, pixels.lattice.strip],
    }
    return digest_of(document)


def _engine(job: Job, counting: Counting, cells: int, notify: Callable[[str], None]) -> AbstractContextManager[Engine]:
    """That of the job where it runs blocks on other machines; else threads of this process."""
    facts = job.config.execution.facts
    if facts.workers != "machine":
        needs = CellRequirements(source=job.source, identity=job.source.identity())
        options = replace(engine_options.engine_options(job, notify), needs=needs)
        return ENGINES[job.config.execution.engine](job.plan.workers, options)
    workers = min(pass_workers(job, counting), cells)
    return ENGINES["serial" if facts.sequential or workers == 1 else "threads"](workers)


def _unreadable(reason: str) -> str:
    return (
        f"model.input.normalise needs every pixel of the raster, and a part of it cannot be counted: "
        f"{reason.rstrip('.')}. Mend the raster, or give method: fixed with low and high."
    )
