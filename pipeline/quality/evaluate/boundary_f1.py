"""How well outlines agree: boundary F1, streamed.

A pixel is on the boundary of its class where one of its four neighbours is of another (Csurka et al. 2013, What is a
good evaluation measure for semantic segmentation?). A boundary pixel of the mask is right where the labels have one of
the same class within the tolerance, and one of the labels is found where the mask has one. Pixels without a label are
on no boundary and make none.

    |tt+1|cccccccccc|tt+1|     a window with its core c; a boundary pixel t away may match, and to see that it is one
                               takes its neighbour: so t + 1 px are read around it, and the windows do not show
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.quality.evaluate.confusion import PerClass, ratio

Indices = npt.NDArray[np.unsignedinteger]
CLASSES_PER_WORD = 64
"""Classes whose boundaries are widened at once, a bit each."""


class Boundaries:
    """Counts of boundary pixels and of those that match, added up a window at a time."""

    def __init__(self, classes: int, tolerance: int) -> None:
        self._classes = classes
        self.tolerance = tolerance
        """Distance at which boundaries still match, px, Euclidean."""
        self.labelled, self.labelled_hits, self.predicted, self.predicted_hits = (
            np.zeros(classes, dtype=np.int64) for _ in range(4)
        )

    @property
    def halo(self) -> int:
        """Pixels to read around a core."""
        return self.tolerance + 1

    def add(self, label: Indices, mask: Indices) -> None:
        """Count the core of a window.

        Parameters
        ----------
        label, mask
            (rows, cols) class indices with `halo` px on every side; an index beyond the classes is no label, or no
            prediction.
        """
        scored = label < self._classes
        edges = [_edge(label, scored), _edge(mask, scored)]
        for first in range(0, self._classes, CLASSES_PER_WORD):
            count = min(CLASSES_PER_WORD, self._classes - first)
            class_bits = [
                self._bits(values, edge, first, count) for values, edge in zip((label, mask), edges, strict=True)
            ]
            near = [widen(bits, self.tolerance) for bits in class_bits]
            self._count(label, class_bits[0], near[1], self.labelled, self.labelled_hits)
            self._count(mask, class_bits[1], near[0], self.predicted, self.predicted_hits)

    def precision(self) -> PerClass:
        """Share of the mask's boundary pixels that are right; NaN where it has none."""
        return ratio(self.predicted_hits, self.predicted)

    def recall(self) -> PerClass:
        """Share of the labels' boundary pixels that are found; NaN where they have none."""
        return ratio(self.labelled_hits, self.labelled)

    def f1(self) -> PerClass:
        """Harmonic mean of both; 0 where only one side has a boundary, NaN where none has."""
        precision, recall = np.nan_to_num(self.precision()), np.nan_to_num(self.recall())
        f1 = np.nan_to_num(ratio(2 * precision * recall, precision + recall))
        return np.where(self.labelled + self.predicted > 0, f1, np.nan)

    def _bits(
        self, values: Indices, edge: npt.NDArray[np.bool_], first: int, count: int
    ) -> npt.NDArray[np.unsignedinteger]:
        """(rows, cols) one bit per class, set at its boundary; none for what is no class."""
        word = next(np.dtype(f"uint{size}") for size in (8, 16, 32, 64) if count <= size)
        table = np.zeros(self._classes + 1, dtype=word)
        table[first : first + count] = word.type(1) << np.arange(count, dtype=word)
        return np.where(edge, table[np.minimum(values, self._classes)], word.type(0))

    def _count(
        self,
        values: Indices,
        bits: Indices,
        near: Indices,
        total: npt.NDArray[np.int64],
        matched: npt.NDArray[np.int64],
    ) -> None:
        """Count the boundary pixels of the core by class, and those that have one of their class near."""
        core = (slice(self.halo, -self.halo),) * 2
        bits, near, values = bits[core], near[core], values[core]
        total += np.bincount(values[bits != 0], minlength=self._classes)
        matched += np.bincount(values[(bits & near) != 0], minlength=self._classes)


def _edge(values: Indices, scored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels with a neighbour of another value, both scored."""
    edge = np.zeros(values.shape, dtype=bool)
    for first, second in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        differs = (values[first] != values[second]) & scored[first] & scored[second]
        edge[first] |= differs
        edge[second] |= differs
    return edge


def widen(bits: Indices, tolerance: int) -> Indices:
    """Every bit spread over a disk of ``tolerance`` px: row by row, as wide as the disk is there."""
    wide, spread = bits.copy(), np.zeros_like(bits)
    reach = {dy: math.isqrt(tolerance**2 - dy**2) for dy in range(tolerance + 1)}
    for dx in range(tolerance + 1):
        _or_shifted(wide, bits, dx, axis=1)
        for dy in (dy for dy, width in reach.items() if width == dx):
            _or_shifted(spread, wide, dy, axis=0)
    return spread


def _or_shifted(target: Indices, source: Indices, by: int, axis: int) -> None:
    """Or ``source`` into ``target``, moved to both sides along an axis."""
    length = source.shape[axis]
    for to, start in (
        (slice(by, None), slice(None, max(length - by, 0))),
        (slice(None, max(length - by, 0)), slice(by, None)),
    ):
        index_to, index_from = (
            ((to, slice(None)), (start, slice(None))) if axis == 0 else ((slice(None), to), (slice(None), start))
        )
        target[index_to] |= source[index_from]
