"""A window of an array, read a few chunks at a time, with what of it was never written.

What is decoded at once is bounded, however large the window is::

    +-----+-----+-----+-----+
    |  1  |  1  |  2  |  2  |     chunks, and in which read each is decoded
    +--|--+-----+-----+--|--+
    |  3  |  3  |  4  |  4  |     | the window
    +--|--+-----+-----+--|--+
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.array_files.array_file import ArrayInfo, ArrayReader
from pipeline.sources.array_files.selection import Selection

AT_ONCE_BYTES = 2**25
"""Of chunks that are decoded by one read, unless one chunk is larger."""
RawNumbers = npt.NDArray[Any]
Unwritten = npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanePart:
    """A part of one of the planes that are folded."""

    where: tuple[slice, slice, slice]
    """Bands, rows and columns of it in the window."""
    numbers: RawNumbers
    """(bands, rows, cols) in the dtype of the file."""
    missing: Unwritten
    """The same shape, True where nothing was written; None where all was."""


def read_chunks(
    reader: ArrayReader, selection: Selection, window: Window
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """The numbers of a window, and where they were never written.

    Parameters
    ----------
    reader
        Of the array.
    selection
        The part that is read.
    window
        In the order of the file.

    Returns
    -------
    tuple
        (bands, rows, cols) in the dtype of the file, and the same shape of True where nothing was written; None where
        all was.
    """
    data = np.empty((len(selection.bands), window.height, window.width), reader.info.dtype)
    missing: Unwritten = None
    for part in read_planes(reader, selection, window):
        data[part.where] = part.numbers
        if part.missing is not None:
            missing = np.zeros(data.shape, bool) if missing is None else missing
            missing[part.where] = part.missing
    return data, missing


def read_planes(reader: ArrayReader, selection: Selection, window: Window) -> Iterator[PlanePart]:
    """The parts of a window, of each plane that is folded, in the order of the planes; else of the one plane.

    Planes that lie in one chunk are decoded at once.
    """
    for run in _plane_runs(reader.info, selection):
        for bands, part in _parts(reader.info, selection, window):
            where = (bands, *part.index_in(window))
            for numbers in _read(reader, selection, bands, part, run):
                missing = _unwritten(reader, selection, bands, part, numbers, run.start)
                yield PlanePart(where=where, numbers=numbers, missing=missing)


def _plane_runs(info: ArrayInfo, selection: Selection) -> Iterator[range]:
    """Places along the folded dimension that lie in one chunk; one place where none is folded."""
    step = 1 if selection.folded is None else info.chunks[selection.folded]
    for start in range(0, selection.planes, step):
        yield range(start, min(start + step, selection.planes))


def bytes_at_once(info: ArrayInfo, selection: Selection) -> int:
    """Bytes of the chunks that one read decodes, at most."""
    across = [-(-info.shape[axis] // info.chunks[axis]) for axis in (selection.rows, selection.columns)]
    total = info.chunk_bytes * across[0] * across[1] * len(_band_chunks(info, selection, range(len(selection.bands))))
    return min(max(AT_ONCE_BYTES, info.chunk_bytes), total)


def _parts(info: ArrayInfo, selection: Selection, window: Window) -> Iterator[tuple[slice, Window]]:
    """Bands and windows that together are the whole, each of few chunks."""
    count, layers = len(selection.bands), len(_band_chunks(info, selection, range(len(selection.bands))))
    allowed = max(AT_ONCE_BYTES // max(info.chunk_bytes, 1), 1)
    runs = [slice(0, count)] if layers <= allowed else list(_band_runs(info, selection))
    allowed = max(allowed // (layers if layers <= allowed else 1), 1)
    width = min(allowed, -(-window.width // info.chunks[selection.columns]) + 1)
    steps = (allowed // width) or 1, width
    row_spans, col_spans = (
        list(_cut(span, info.chunks[axis] * step))
        for span, axis, step in zip((window.rows, window.cols), (selection.rows, selection.columns), steps, strict=True)
    )
    for bands, rows, cols in product(runs, row_spans, col_spans):
        yield bands, Window.of(rows, cols)


def _cut(span: Span, step: int) -> Iterator[Span]:
    """A span, cut at multiples of a step."""
    start = span.start
    while start < span.stop:
        stop = min((start // step + 1) * step, span.stop)
        yield Span(start, stop)
        start = stop


def _band_chunks(info: ArrayInfo, selection: Selection, bands: Sequence[int]) -> set[int]:
    """Places, among the chunks along their dimension, of the chunks that hold some bands."""
    if selection.band_axis is None:
        return {0}
    return {selection.bands[band] // info.chunks[selection.band_axis] for band in bands}


def _band_runs(info: ArrayInfo, selection: Selection) -> Iterator[slice]:
    """Bands that follow each other and lie in one chunk."""
    start = 0
    for band in range(1, len(selection.bands) + 1):
        if band == len(selection.bands) or len(_band_chunks(info, selection, (start, band))) > 1:
            yield slice(start, band)
            start = band


def _read(reader: ArrayReader, selection: Selection, bands: slice, part: Window, planes: range) -> RawNumbers:
    """(planes, bands, rows, cols) of some chunks."""
    index: list[slice | list[int]] = [slice(place, place + 1) for place in selection.places]
    index[selection.rows], index[selection.columns] = part.slices
    order = [selection.rows, selection.columns]
    if selection.band_axis is not None:
        places = list(selection.bands[bands])
        follow = places == list(range(places[0], places[0] + len(places)))
        index[selection.band_axis] = slice(places[0], places[-1] + 1) if follow else places
        order.insert(0, selection.band_axis)
    if selection.folded is not None:
        index[selection.folded] = slice(planes.start, planes.stop)
        order.insert(0, selection.folded)
    remaining = [axis for axis in range(len(index)) if axis not in order]
    numbers = reader.read(index).transpose(*order, *remaining)
    stacked: RawNumbers = numbers.reshape(len(planes), -1, part.height, part.width)
    return stacked


def _unwritten(
    reader: ArrayReader, selection: Selection, bands: slice, part: Window, numbers: RawNumbers, plane: int
) -> Unwritten:
    """(bands, rows, cols) True where a chunk of a plane was never written; None where all were.

    A chunk of which a number differs from the fill value was written, so that storage is asked for few of them.
    """
    info = reader.info
    if info.fill is None:
        return None
    filled = _is_fill(numbers, info.fill)
    if not filled.any():
        return None
    marks = np.zeros(numbers.shape, bool)
    chunk_rows, chunk_cols = info.chunks[selection.rows], info.chunks[selection.columns]
    for rows, cols in product(_cut(part.rows, chunk_rows), _cut(part.cols, chunk_cols)):
        inside = Window.of(rows, cols).index_in(part)
        for band in range(len(numbers)):
            place = [k // chunk for k, chunk in zip(selection.places, info.chunks, strict=True)]
            if selection.folded is not None:
                place[selection.folded] = plane // info.chunks[selection.folded]
            place[selection.rows], place[selection.columns] = rows.start // chunk_rows, cols.start // chunk_cols
            if selection.band_axis is not None:
                place[selection.band_axis] = selection.bands[bands][band] // info.chunks[selection.band_axis]
            if filled[(band, *inside)].all() and not reader.is_written(tuple(place)):
                marks[(band, *inside)] = True
    return marks if marks.any() else None


def _is_fill(numbers: npt.NDArray[Any], fill: Any) -> npt.NDArray[np.bool_]:
    if numbers.dtype.kind == "f" and np.isnan(fill):
        return np.asarray(np.isnan(numbers))
    return np.asarray(numbers == fill)
