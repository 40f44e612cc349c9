"""The parts of components that lie in one block, with what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.objects.columns import COMBINE, Columns, FixedPoint, Int64s, Measures
from pipeline.objects.labels import Connectivity, Labels, label_block
from pipeline.objects.mask import Codes, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockParts:
    """The components of one block."""

    window: Window
    codes: Codes
    labels: Labels
    columns: Columns
    """Row k − 1 is of label k."""
    pairs: Int64s
    """(n, 3) label, higher label, and the edges that they share; empty unless asked for."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.columns["first"])


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMeter:
    """Measures blocks of one mask."""

    mask: Mask
    connectivity: Connectivity
    measures: Measures
    area_unit: FixedPoint = field(default=FixedPoint(1.0))

    def parts(self, window: Window) -> BlockParts:
        """Label and measure a block."""
        codes = self.mask.read(window)
        labels, count = label_block(codes, self.mask.nodata, self.connectivity)
        runs = _Runs.of(labels, count)
        columns = {**self._shape(runs, window, codes), **self._sums(runs, window)}
        pairs = np.zeros((0, 3), dtype=np.int64)
        if self.measures.borders or self.measures.neighbours:
            borders, pairs = _borders(labels, count, self.measures.neighbours)
            columns.update(borders)
        ordered = {name: columns[name] for name in COMBINE if name in columns}
        return BlockParts(window=window, codes=codes, labels=labels, columns=ordered, pairs=pairs)

    def _shape(self, runs: _Runs, window: Window, codes: Codes) -> Columns:
        """Columns of places and of the class."""
        rows, cols, ends = runs.rows + window.row, runs.cols + window.col, runs.cols + window.col + runs.lengths
        first = runs.first(rows * self.mask.width + cols)
        local = runs.first(runs.starts)
        return {
            "first": first,
            "code": codes.ravel()[local].astype(np.int64),
            "pixels": runs.total(runs.lengths),
            "row_min": runs.first(rows),
            "row_max": runs.last(rows),
            "col_min": runs.extreme(np.minimum, cols),
            "col_max": runs.extreme(np.maximum, ends - 1),
            "row_sum": runs.total(runs.lengths * (2 * rows + 1)),
            "col_sum": runs.total(runs.lengths * (cols + ends)),
        }

    def _sums(self, runs: _Runs, window: Window) -> Columns:
        """Columns of sums over pixels."""
        columns: Columns = {}
        if self.measures.area_of is not None:
            high, low = self.area_unit.split(self.measures.area_of(window))
            columns["area_high"], columns["area_low"] = runs.total_of(high), runs.total_of(low)
        if self.measures.confidence_of is not None:
            columns["confidence"] = runs.total_of(self.measures.confidence_of(window).astype(np.int64))
        return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Pixels of one label side by side in one row, in raster order."""

    shape: tuple[int, ...]
    all_starts: Int64s
    """Of runs of nodata too."""
    inside: npt.NDArray[np.bool_]
    """Which of these are no nodata."""
    labels: npt.NDArray[Any]
    """From 0."""
    starts: Int64s
    lengths: Int64s
    rows: Int64s
    cols: Int64s
    count: int
    """Of labels."""

    @classmethod
    def of(cls, labels: Labels, count: int) -> _Runs:
        flat, width = labels.ravel(), labels.shape[1]
        begins = np.ones(flat.size, dtype=bool)
        np.not_equal(flat[1:], flat[:-1], out=begins[1:])
        begins[::width] = True
        all_starts = np.flatnonzero(begins)
        inside = flat[all_starts] > 0
        lengths = np.diff(all_starts, append=flat.size)
        starts = all_starts[inside]
        return cls(
            shape=labels.shape,
            all_starts=all_starts,
            inside=inside,
            labels=flat[starts].astype(np.int64) - 1,
            starts=starts,
            lengths=lengths[inside],
            rows=starts // width,
            cols=starts % width,
            count=count,
        )

    def first(self, values: Int64s) -> Int64s:
        """Values of the first run of each label."""
        result = np.zeros(self.count, dtype=np.int64)
        result[self.labels[::-1]] = values[::-1]  # of several values for one index, the last stays
        return result

    def last(self, values: Int64s) -> Int64s:
        """Values of the last run of each label."""
        result = np.zeros(self.count, dtype=np.int64)
        result[self.labels] = values
        return result

    def extreme(self, operation: Any, values: Int64s) -> Int64s:
        """The lowest or highest value of each label."""
        result = self.first(values)
        operation.at(result, self.labels, values)
        return result

    def total(self, values: Int64s) -> Int64s:
        """Sums of values of runs for each label; exact, since a block's stay below 2⁵³."""
        return np.bincount(self.labels, weights=values, minlength=self.count).astype(np.int64)

    def total_of(self, values: Int64s) -> Int64s:
        """Sums of values of pixels for each label: one for all, one for a row, or (rows, cols) of them."""
        if values.size == 1:
            return self.total(self.lengths * values.reshape(()))
        if values.shape[-1] == 1:
            return self.total(self.lengths * values.ravel()[self.rows])
        if not len(self.all_starts):
            return np.zeros(self.count, dtype=np.int64)
        return self.total(np.add.reduceat(np.ascontiguousarray(values).ravel(), self.all_starts)[self.inside])


def _borders(labels: Labels, count: int, neighbours: bool) -> tuple[Columns, Int64s]:
    """Columns of edges inside a block, and the pairs that share them."""
    across = [_unequal(labels[:-1], labels[1:]), _unequal(labels[:, :-1], labels[:, 1:])]
    edges = [np.bincount(pairs.ravel(), minlength=count + 1)[1:].astype(np.int64) for pairs in across]
    pairs = np.concatenate(across, axis=1)
    to_nodata = np.where(pairs == 0, pairs[::-1], 0)
    columns = {
        "row_edges": edges[0],
        "col_edges": edges[1],
        "nodata_edges": np.bincount(to_nodata.ravel(), minlength=count + 1)[1:].astype(np.int64),
        "outside_edges": np.zeros(count, dtype=np.int64),
    }
    return columns, count_pairs(*pairs[:, (pairs > 0).all(axis=0)]) if neighbours else np.zeros((0, 3), dtype=np.int64)


def _unequal(first: Labels, second: Labels) -> Int64s:
    """(2, n) labels on both sides of each edge between two labels."""
    at = first != second
    return np.stack([first[at], second[at]]).astype(np.int64)


def count_pairs(first: Int64s, second: Int64s) -> Int64s:
    """(n, 3): each pair once, the lower number before the higher one, and how often it occurs."""
    if not len(first):
        return np.zeros((0, 3), dtype=np.int64)
    return sum_pairs(np.stack([np.minimum(first, second), np.maximum(first, second), np.ones_like(first)], axis=1))


def sum_pairs(pairs: Int64s) -> Int64s:
    """(n, 3) pairs and counts: each pair once, with the sum of its counts, in order."""
    if not len(pairs):
        return pairs
    ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    begins = np.flatnonzero(np.concatenate([[True], (ordered[1:, :2] != ordered[:-1, :2]).any(axis=1)]))
    return np.column_stack([ordered[begins, :2], np.add.reduceat(ordered[:, 2], begins)])
