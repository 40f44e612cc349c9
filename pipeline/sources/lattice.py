"""All of a raster at low resolution, whatever its kind.

An overview of the file is read where it has one of use, and of a slide a level. Else all of the raster is read once,
window by window, and each cell is the mean of the valid pixels of a square, so that the windows change nothing::

    |--|--|--|--|--|--|--|--|      squares of `step` px
    |wwwwwwwwwww|wwwwwwwwwww|      windows: whole squares
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.geometry.span import Span, round_up
from pipeline.geometry.window import Window
from pipeline.interfaces import Source
from pipeline.runtime.resources import MIB, cores
from pipeline.sources.gdal.colours import AS_STORED
from pipeline.sources.overview import raster_of, read_overview, without_wrappers
from pipeline.sources.slide_files.coarse_slide import coarse_slide
from pipeline.sources.slide_files.slide_source import SlideSource

LatticeValues = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
WINDOW_PX = 2**20
"""Pixels that are read at once, about."""
LARGEST_WINDOW_PX = 4 * WINDOW_PX
"""The same where the file's own blocks are larger."""
MAX_OVERVIEW_BYTES = 64 * MIB
"""Of all bands of an overview, as float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """A raster reduced to cells."""

    data: LatticeValues
    """(bands, rows, cols) means in the units of the source; 0 where nothing is valid."""
    valid: _Bools
    """(rows, cols) whether a cell holds a valid pixel."""
    step: float
    """Px of the raster per cell, about."""
    scale: tuple[float, float]
    """Cells per px, of rows and of columns."""
    origin: str
    """What the cells are made of, in words."""


def read_lattice(source: Source, bands: tuple[int, ...], step: int) -> Lattice:
    """Reduce a raster: by an overview of its file or a level of its slide, else by its pixels.

    Parameters
    ----------
    source
        Of any kind.
    bands
        Those that are read, from 0.
    step
        Px of the raster per cell.

    Raises
    ------
    SourceError
        A part of it cannot be read.
    """
    return (
        overview_lattice(source, bands, step)
        or level_lattice(source, bands, step)
        or pixel_lattice(source, bands, step)
    )


def overview_lattice(source: Source, bands: tuple[int, ...], step: int) -> Lattice | None:
    """From an overview about as coarse, or from a finer one that is reduced; None where there is none of use."""
    raster = raster_of(source)
    if raster is None or raster.picture != AS_STORED:
        return None
    overview = read_overview(source, step, MAX_OVERVIEW_BYTES)
    if overview is None or overview.step > 2 * step:
        return None
    rows, cols = overview.valid.shape
    times = max(step // overview.step, 1)
    data, valid = cell_means(overview.data[list(bands)], overview.valid, times)
    return Lattice(
        data=data,
        valid=valid,
        step=overview.step * times,
        scale=(rows / source.grid.height / times, cols / source.grid.width / times),
        origin=f"the file's overview 1:{overview.step}" + (f", means of {times} × {times} of its px" * (times > 1)),
    )


def level_lattice(source: Source, bands: tuple[int, ...], step: int, max_bytes: float = float("inf")) -> Lattice | None:
    """From a coarser level of a slide; None of other sources, and where there is none of so many bytes at most.

    Raises SourceError where it cannot be read.
    """
    slide = without_wrappers(source)
    if not isinstance(slide, SlideSource):
        return None
    try:
        coarse = coarse_slide(slide, step)
    except ReadError as error:
        raise _unreadable_error(error) from error
    if coarse is None or math.prod(coarse.source.level.shape) * source.bands * source.dtype.itemsize > max_bytes:
        return None
    lattice, level = pixel_lattice(coarse.source, bands, coarse.side), coarse.source.level
    # a level may leave out the last pixels of the slide, which its last pixels stand for
    rows, cols = (-(-length // step) for length in (source.grid.height, source.grid.width))
    missing = (0, max(rows - len(lattice.valid), 0)), (0, max(cols - lattice.valid.shape[1], 0))
    return Lattice(
        data=np.pad(lattice.data, ((0, 0), *missing), mode="edge"),
        valid=np.pad(lattice.valid, missing, mode="edge"),
        step=step,
        scale=(1 / step, 1 / step),
        origin=f"the slide's level {level.index}, {level.cols.scale:.5g} px of level 0 per px",
    )


def pixel_lattice(source: Source, bands: tuple[int, ...], step: int) -> Lattice:
    """From the means of squares of so many px. Raises SourceError."""
    height, width = -(-source.grid.height // step), -(-source.grid.width // step)
    data, valid = np.zeros((len(bands), height, width), np.float32), np.zeros((height, width), bool)

    def reduce(window: Window) -> None:
        pixels = source.read(window)
        rows, cols = (slice(span.start // step, -(-span.stop // step)) for span in (window.rows, window.cols))
        data[:, rows, cols], valid[rows, cols] = cell_means(pixels.data[list(bands)], pixels.valid, step)

    try:
        with ThreadPoolExecutor(cores()) as threads:
            for _ in threads.map(reduce, cell_windows(source, step)):
                pass
    except ReadError as error:
        raise _unreadable_error(error) from error
    origin = f"means of {step} × {step} px"
    return Lattice(data=data, valid=valid, step=step, scale=(1 / step, 1 / step), origin=origin)


def _unreadable_error(error: ReadError) -> SourceError:
    return SourceError(f"The raster cannot be read at low resolution: {str(error).rstrip('.')}. Mend the file.")


def cell_windows(source: Source, step: int) -> Iterator[Window]:
    """Windows of whole cells that cover a raster, along the file's own blocks as far as these fit."""
    grid, (block_rows, block_cols) = source.grid, source.block
    width = min(round_up(max(block_cols, 1024), step), round_up(grid.width, step))
    height = round_up(max(WINDOW_PX // width, min(block_rows, LARGEST_WINDOW_PX // width), 1), step)
    for row in range(0, grid.height, height):
        for col in range(0, grid.width, width):
            window = Window.of(Span(row, row + height), Span(col, col + width))
            yield window.clip(grid.height, grid.width)


def cell_means(planes: npt.NDArray[np.generic], valid: _Bools, side: int) -> tuple[LatticeValues, _Bools]:
    """(bands, rows, cols) means of the valid pixels of squares of so many px, and (rows, cols) whether there are any.

    Squares at the far edges are cut.
    """
    counts = _sums(valid, side)
    sums = np.stack([_sums(np.where(valid, plane, 0), side) for plane in planes])
    return (sums / np.maximum(counts, 1)).astype(np.float32), counts > 0


def _sums(plane: npt.NDArray[np.generic], side: int) -> npt.NDArray[np.float64]:
    rows, cols = plane.shape
    padded = np.pad(plane, ((0, -rows % side), (0, -cols % side)))
    squares = padded.reshape(len(padded) // side, side, -1, side)
    sums: npt.NDArray[np.float64] = squares.sum(axis=(1, 3), dtype=np.float64)
    return sums
