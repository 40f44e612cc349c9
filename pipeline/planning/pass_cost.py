"""What the pass for ``model.input.normalise`` reads and costs: cells, bytes, workers and time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pipeline.errors import PipelineError, PlanError
from pipeline.planning.counted_area import counted_area
from pipeline.planning.job import Job
from pipeline.planning.normalisation import measure_of
from pipeline.planning.plan_rows import duration_text
from pipeline.runtime import resources
from pipeline.runtime.resources import human
from pipeline.statistics.cell_task import CellPixels
from pipeline.statistics.cells import CellLattice
from pipeline.statistics.counting import Counting

RECORD_COPIES = 3
"""Times that a worker holds its counts: as it counts, and as a record before and after it is packed."""
_TOUCHED_AT_ONCE = 512
"""Cells whose windows are compared with an area together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassCost:
    """A pass that a run would make before its first block."""

    cells: int
    passes: int
    """Times that the pixels are read."""
    bytes: int
    """Decoded pixels of all passes."""
    seconds: float | None
    """By one strip that was read and counted; None where it cannot be read."""
    workers: int

    def __str__(self) -> str:
        times = "once" if self.passes == 1 else f"{self.passes} times"
        took = "" if self.seconds is None else f", about {duration_text(self.seconds)}"
        return (
            f"model.input.normalise reads the pixels {times} before the first block: {human(self.bytes)} in "
            f"{self.cells:,} cells, {self.workers} at once{took}; plan --estimate does it now, and run takes it up"
        )


def cell_pixels(job: Job) -> CellPixels:
    """Where the counts of a job come from."""
    normalisation, normalise = job.task.recipe.normalisation, job.normalise
    source = job.source
    grid = source.grid
    return CellPixels(
        source=source,
        lattice=CellLattice.of_raster(grid.height, grid.width, source.block, source.bands * source.dtype.itemsize),
        retries=job.task.retries,
        area=counted_area(normalise, job.areas),
        transform=normalisation.transform,
        channels=normalisation.channels,
        joint=normalise.channels == "joint",
    )


def cells_of_job(job: Job) -> list[int]:
    """Cells that hold a pixel that counts, in the order of the lattice."""
    pixels = cell_pixels(job)
    lattice, area = pixels.lattice, pixels.area
    if area is None:
        return list(range(lattice.count))
    cells = []
    for start in range(0, lattice.count, _TOUCHED_AT_ONCE):
        batch = range(start, min(start + _TOUCHED_AT_ONCE, lattice.count))
        touched = area.touches([lattice.window(index) for index in batch])
        cells += [index for index, touches in zip(batch, touched, strict=True) if touches]
    return cells


def pass_workers(job: Job, counting: Counting) -> int:
    """Cells that may be counted at once within the memory of the job, by as many threads.

    On other machines as many as blocks, which hold more.

    Raises
    ------
    PlanError
        Not even one fits.
    """
    if job.config.execution.facts.workers != "machine":
        return job.plan.workers
    each = cell_pixels(job).bytes_at_once + RECORD_COPIES * counting.counts_bytes
    free = job.plan.budget - resources.resident() - job.plan.costs.gdal_cache - job.source.open_files
    if each > free:
        raise PlanError(
            f"The pass for model.input.normalise holds {human(each)} at once, and execution.memory leaves "
            f"{human(max(free, 0))} of {human(job.plan.budget)} beside the process and its libraries. Raise "
            f"execution.memory, or give method: fixed with low and high."
        )
    requested = job.config.execution.workers
    cores = resources.cores() if requested == "auto" else requested
    return 1 if job.config.execution.facts.sequential else max(1, min(free // each, cores))


def pass_cost(job: Job) -> PassCost | None:
    """What a run would pass over before its first block; None where no number is to be found."""
    if not job.provisional:
        return None
    pixels, cells = cell_pixels(job), cells_of_job(job)
    measure = measure_of(job.normalise, job.task.recipe.normalisation, job.source)
    counting, workers = measure.first_counting(), pass_workers(job, measure.first_counting())
    size = sum(pixels.lattice.window(index).pixels for index in cells)
    seconds = _seconds_per_pixel(pixels, cells[len(cells) // 2], counting)
    return PassCost(
        cells=len(cells),
        passes=measure.passes,
        bytes=size * measure.passes * job.source.bands * job.source.dtype.itemsize,
        seconds=None if seconds is None else seconds * size * measure.passes / workers,
        workers=workers,
    )


def _seconds_per_pixel(pixels: CellPixels, cell: int, counting: Counting) -> float | None:
    """Of one thread, by one strip of a cell that is read and counted."""
    strips = list(pixels.lattice.strips(cell))
    strip = strips[len(strips) // 2]
    try:
        pixels.source.read(replace(strip, height=1, width=1))  # opens the file
        start = time.perf_counter()
        pixels.count_strip(strip, counting, counting.empty())
    except PipelineError:  # the run tells of it
        return None
    return (time.perf_counter() - start) / strip.pixels
