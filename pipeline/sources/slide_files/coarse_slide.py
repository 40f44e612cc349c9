"""A slide at low resolution: by the coarsest of its levels whose pixels are no larger than the cells asked for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from pipeline.sources.slide_files.measured_levels import band_reader, measured_level
from pipeline.sources.slide_files.opening import open_slide_file
from pipeline.sources.slide_files.pyramid import MPP_TOLERANCE, Level, SlideFile, levels_by_size
from pipeline.sources.slide_files.sampling import sampled
from pipeline.sources.slide_files.slide_source import SlideSource


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseSlide:
    """A slide whose pixels are whole fractions of cells."""

    source: SlideSource
    """From the corner of the grid that the cells lie on."""
    side: int
    """Its rows and columns per cell, px."""


def coarse_slide(source: SlideSource, step: int) -> CoarseSlide | None:
    """Read a slide for cells of its grid from a coarser level; None where it has none of use.

    Parameters
    ----------
    source
        The slide as it is read.
    step
        Px of its grid per cell.

    Raises
    ------
    SourceError
        The slide is gone.
    ReadError
        A level of it cannot be read.
    """
    cell = source.step[0] * step, source.step[1] * step
    file = open_slide_file(source.path)
    try:
        levels = levels_by_size(file)
        level = _coarsest(file, levels, cell)
        if level.index <= source.level.index:
            return None
        level = measured_level(band_reader(file, levels, source.channels[0]), file.shapes[0], level)
        side = max(int(_pixels_per_cell(level, cell)), 1)
        sampling = sampled((cell[0] / side, cell[1] / side), source.corner, level, file.shapes[0])
    finally:
        file.close()
    coarse = replace(
        source,
        level=level,
        grid=sampling.grid(None),
        step=sampling.step,
        corner=sampling.corner,
        method="average",
        name=uuid.uuid4().hex,
    )
    return CoarseSlide(source=coarse, side=side)


def _coarsest(file: SlideFile, levels: list[Level], cell: tuple[float, float]) -> Level:
    """The coarsest level that is read as it is stored and is no coarser than a cell; else the finest."""
    fitting = [level for level in levels if _pixels_per_cell(level, cell) >= 1 and file.is_exact(level.index)]
    return max(fitting, key=lambda level: level.rows.scale, default=levels[0])


def _pixels_per_cell(level: Level, cell: tuple[float, float]) -> float:
    """Px of a level along a cell, with what rounding may take."""
    return min(cell[0] / level.rows.scale, cell[1] / level.cols.scale) * (1 + MPP_TOLERANCE)
