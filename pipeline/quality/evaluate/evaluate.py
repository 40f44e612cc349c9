"""The mask of a store against labels, a piece at a time; memory does not grow with the store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError, StoreError
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE, Labels
from pipeline.quality.evaluate.boundary_f1 import Boundaries
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.quality.evaluate.result import Evaluation
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.store.reader import StoreLevel
from pipeline.store.spec import ClassRow

PIECE_SIDE = 2048
"""Side of what is held at once, px: large, since the halo of a piece reads chunks of its neighbours."""
LARGEST_CHUNK = 4096
"""Chunks up to this side are never cut by a piece, px."""

MAX_TOLERANCE = 256
"""Largest tolerance, px: what is read around a piece stays small beside it, and boundaries that match from so far say
nothing."""

_Codes = npt.NDArray[np.unsignedinteger]


def evaluate(
    store: StoreLevel,
    labels: Labels,
    *,
    tolerance: int = 2,
    area: Window | None = None,
    partial: bool = False,
    samples: PairSamples | None = None,
    side: int | None = None,
) -> Evaluation:
    """Compare a store with labels.

    A labelled pixel counts, whatever the mask says of it: nodata is a miss. A pixel without a label does not.

    Parameters
    ----------
    store
        One level of it.
    labels
        On the grid of that level.
    tolerance
        Distance at which boundaries still match, 0 to 256 px.
    area
        The part that is judged, px of the level; labels outside it count as none. Everything by default.
    partial
        Judge the committed blocks of a store that is unfinished.
    samples
        Where indexes of classes are kept for a map, of the same part.
    side
        Of the pieces, px; changes no number.

    Raises
    ------
    StoreError
        It is unfinished, and ``partial`` is not said.
    LabelsError
        They cannot be read, or hold what is no class.
    InputError
        No pixel of the store has a label, or the tolerance is out of bounds.
    """
    assert labels.grid == store.grid
    if not 0 <= tolerance <= MAX_TOLERANCE:
        raise InputError(
            f"Boundaries cannot match within {tolerance} px. Give --boundary (tolerance=) from 0 to {MAX_TOLERANCE} px."
        )
    committed = require_committed(store, partial)
    judge = _Judge(store, labels, tolerance, area or whole_window(store), committed < store.blocks, samples)
    for piece in pieces(area or whole_window(store), side or piece_side(store.chunk)):
        judge.add(piece)
    evaluation = judge.result(committed)
    if not evaluation.confusion.pixels:
        raise InputError(
            f"No pixel that is judged has a label, so that {store.path} cannot be evaluated. Give labels of "
            f"this place, or another --area."
        )
    return evaluation


def judged_classes(store: StoreLevel) -> tuple[ClassRow, ...]:
    """Classes of a level that are judged: all but those of role ``ignore``."""
    return tuple(row for row in store.classes if row.role != "ignore")


def require_committed(store: StoreLevel, partial: bool) -> int:
    """Committed blocks of a level; raises StoreError where some are missing and ``partial`` is not said."""
    committed = store.committed_blocks()
    if committed < store.blocks and not partial:
        raise StoreError(
            f"{store.path} is unfinished: {committed} of {store.blocks} blocks of level {store.level} are "
            f"committed. Finish it with run, "
            "or judge what is there with --partial."
        )
    return committed


def pieces(area: Window, side: int) -> Iterator[Window]:
    """The windows that an area is judged in.

    Cut at multiples of ``side`` px of the level, so that they hold whole chunks.
    """
    for rows in cut(area.rows.stop, side):
        for cols in cut(area.cols.stop, side):
            piece = Window.of(_from_start(rows, area.row), _from_start(cols, area.col))
            if piece.pixels:
                yield piece


class _Judge:
    """Counts one piece after another."""

    def __init__(
        self,
        store: StoreLevel,
        labels: Labels,
        tolerance: int,
        area: Window,
        unfinished: bool,
        samples: PairSamples | None,
    ) -> None:
        self._store, self._labels, self._area, self._unfinished = store, labels, area, unfinished
        self._samples = samples
        self._classes = judged_classes(store)
        self._confusion = Confusion(len(self._classes))
        self._boundaries = Boundaries(len(self._classes), tolerance)
        self._ignored = 0
        self._index = _table(self._classes)
        self._ignored_codes = np.array([row.code for row in store.classes if row.role == "ignore"], dtype=np.uint16)

    def add(self, piece: Window) -> None:
        halo = self._boundaries.halo
        frame = Window.of(piece.rows.grow(halo), piece.cols.grow(halo))
        core = piece.index_in(frame)
        label = self._index[self._valid_labels(frame)]
        if (label[core] == len(self._classes)).all():
            return
        codes = self._store.read(frame)
        mask = self._index[codes]
        self._confusion.add(label[core], mask[core])
        self._boundaries.add(label, mask)
        if self._samples is not None:
            self._samples.add(piece, label[core], mask[core])
        if len(self._ignored_codes):
            self._ignored += int((np.isin(codes[core], self._ignored_codes) & (label[core] < len(self._classes))).sum())

    def result(self, committed: int) -> Evaluation:
        nodata = self._confusion.unpredicted - self._ignored
        return Evaluation(
            classes=self._classes,
            confusion=self._confusion,
            boundaries=self._boundaries,
            nodata=nodata,
            ignored=self._ignored,
            committed=committed,
            blocks=self._store.blocks,
        )

    def _valid_labels(self, frame: Window) -> npt.NDArray[np.uint16]:
        """Labels of a frame; none outside the area, and none where a block is still to come."""
        labels = self._labels.read(frame)
        inside = np.zeros(labels.shape, dtype=bool)
        inside[self._inside_area(frame)] = True
        if self._unfinished:
            inside &= self._store.committed(frame)
        labels[~inside] = IGNORE
        return labels

    def _inside_area(self, frame: Window) -> tuple[slice, slice]:
        rows, cols = (
            Span(max(a.start, b.start), max(min(a.stop, b.stop), a.start, b.start))
            for a, b in ((frame.rows, self._area.rows), (frame.cols, self._area.cols))
        )
        return rows.index_in(frame.rows), cols.index_in(frame.cols)


def _table(classes: tuple[ClassRow, ...]) -> _Codes:
    """(65536,) code → index of its class; one beyond them for everything else."""
    table = np.full(IGNORE + 1, len(classes), dtype=np.uint16)
    for index, row in enumerate(classes):
        table[row.code] = index
    return table.astype(np.uint8) if len(classes) < 256 else table


def piece_side(chunk: int) -> int:
    """Side of the pieces of a level with chunks of a side, px."""
    return max(PIECE_SIDE // chunk, 1) * chunk if chunk <= LARGEST_CHUNK else PIECE_SIDE


def whole_window(store: StoreLevel) -> Window:
    """All pixels of a level."""
    return Window(row=0, col=0, height=store.grid.height, width=store.grid.width)


def _from_start(span: Span, start: int) -> Span:
    return Span(max(span.start, start), max(span.stop, start))
