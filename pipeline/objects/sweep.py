"""One pass over the blocks of a mask, from the top: parts of components are merged over faces, row by row of blocks.

A component is complete once a row of blocks has ended without it at its lower face. Only parts that touch a face enter
the graph, and only components that reach the lower face are carried on, so that memory holds what crosses one row of
blocks, however many objects the mask has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Columns, Int64s, combine, concatenate, pick_rows
from pipeline.objects.labels import Connectivity
from pipeline.objects.mask import MaskBlocks
from pipeline.objects.measure import BlockMeter, BlockParts, count_pairs
from pipeline.objects.scratch import LongArray, LongTable
from pipeline.objects.seams import ABSENT, Line, Seam, column_seam, row_seam

ROW_HEADER = 4
"""Numbers in the header of a row of blocks."""
BUFFER = 2**16
"""Components that are written at once."""
BlockHook = Callable[[], None]
"""Called after each block: progress, and the place where a stop is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFiles:
    """What a sweep leaves in its scratch folder."""

    folder: Path
    names: tuple[str, ...]

    @property
    def complete(self) -> LongTable:
        """Components in the order of their completion."""
        return LongTable(self.folder, self.names)

    @property
    def parts(self) -> LongArray:
        """The component of each part of a block, in the order of the sweep.

        While the sweep goes on, −1 − its place among the parts at faces of its row of blocks, if it is one of them.
        """
        return LongArray(self.folder / "parts.i64")

    @property
    def blocks(self) -> LongArray:
        """The number of the first part of each block, in the order of the sweep."""
        return LongArray(self.folder / "blocks.i64")

    @property
    def pairs(self) -> LongArray:
        """(part, part, edges) that two parts share."""
        return LongArray(self.folder / "pairs.i64", width=3)

    def row(self, number: int) -> LongArray:
        """The graph of a row of blocks: a header of four numbers, the group of each node, what became of each group.

        The header counts nodes carried on from above and all nodes, and says which parts lie in the row: the first and
        the one after the last. A group became a component, or −1 − its place among those carried on.
        """
        return LongArray(self.folder / f"row{number:07d}.i64")


@dataclass(slots=True)
class _Frontier:
    """Components that reach the lower face of the row of blocks before."""

    columns: Columns
    lines: dict[int, Line] = field(default_factory=dict)
    """Lines along the lower faces by the column of their blocks; nodes are rows of ``columns``."""

    @property
    def count(self) -> int:
        return len(self.columns["first"])


@dataclass(slots=True)
class _Faces:
    """The lines along the faces of one row of blocks."""

    top: dict[int, Line] = field(default_factory=dict)
    bottom: dict[int, Line] = field(default_factory=dict)
    left: dict[int, Line] = field(default_factory=dict)
    right: dict[int, Line] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ComponentSweep:
    """The state of a pass; `run` makes the whole of it."""

    blocks: MaskBlocks
    meter: BlockMeter
    files: SweepFiles
    after_block: BlockHook | None = None
    rows: int = 0
    """Rows of blocks that have ended, rows without blocks between others among them."""
    part_count: int = 0
    row_start: int = 0
    """The first part of the row of blocks."""
    complete_count: int = 0
    unwritten: list[Columns] = field(default_factory=list)
    unwritten_count: int = 0

    def run(self) -> int:
        """Visit all blocks; the number of rows that the files hold."""
        frontier, previous = self._blank(), None
        height = -(-self.blocks.mask.height // self.blocks.side)
        for row, cols in self.blocks.rows():
            if previous is not None and row != previous + 1:
                frontier = self._end_row(frontier, _Faces(), [], outside=False)
            frontier = self._visit_row(frontier, row, cols)
            previous = row
        if previous is not None:
            self._end_row(frontier, _Faces(), [], outside=previous == height - 1)
        self._write()
        return self.rows

    def _blank(self) -> _Frontier:
        return _Frontier(concatenate([], self.files.names))

    def _visit_row(self, frontier: _Frontier, row: int, cols: list[int]) -> _Frontier:
        faces = _Faces()
        columns: list[Columns] = []
        nodes = frontier.count
        for col in cols:
            parts = self.meter.parts(self.blocks.window((row, col)))
            at_face = _at_face(parts)
            self._add_faces(faces, col, parts, at_face, nodes)
            columns.append(pick_rows(parts.columns, at_face))
            self._spill(parts, at_face, nodes - frontier.count)
            nodes += len(columns[-1]["first"])
            if self.after_block is not None:
                self.after_block()
        return self._end_row(frontier, faces, columns, outside=row == 0)

    def _spill(self, parts: BlockParts, at_face: npt.NDArray[np.bool_], faces: int) -> None:
        """Write what is known of a block's parts: those that touch no face are components."""
        numbers = np.empty(parts.count, dtype=np.int64)
        numbers[at_face] = -1 - faces - np.arange(at_face.sum())
        numbers[~at_face] = self._complete(pick_rows(parts.columns, ~at_face))
        self.files.blocks.append(np.array([self.part_count]))
        self.files.parts.append(numbers)
        if len(parts.pairs):
            self.files.pairs.append(parts.pairs + np.array([self.part_count - 1, self.part_count - 1, 0]))
        self.part_count += parts.count

    def _complete(self, columns: Columns) -> Int64s:
        """Write complete components; their numbers."""
        count = len(columns["first"])
        self.complete_count += count
        self.unwritten.append(columns)
        self.unwritten_count += count
        if self.unwritten_count >= BUFFER:
            self._write()
        return np.arange(self.complete_count - count, self.complete_count)

    def _write(self) -> None:
        self.files.complete.append(concatenate(self.unwritten, self.files.names))
        self.unwritten, self.unwritten_count = [], 0

    def _add_faces(
        self, faces: _Faces, col: int, parts: BlockParts, at_face: npt.NDArray[np.bool_], nodes: int
    ) -> None:
        node_of = np.full(parts.count + 1, ABSENT, dtype=np.int64)
        node_of[1:][at_face] = nodes + np.arange(at_face.sum())

        def line(place: Any) -> Line:
            labels = parts.labels[place].astype(np.int64)
            inside = labels > 0
            codes = np.where(inside, parts.codes[place].astype(np.int64), ABSENT)
            return Line(codes, np.where(inside, self.part_count + labels - 1, ABSENT), node_of[labels])

        faces.top[col], faces.bottom[col] = line(np.s_[0]), line(np.s_[-1])
        faces.left[col], faces.right[col] = line(np.s_[:, 0]), line(np.s_[:, -1])

    def _end_row(self, frontier: _Frontier, faces: _Faces, columns: list[Columns], outside: bool) -> _Frontier:
        """Merge over the faces of a row and those to the row before; what goes on below."""
        names = self.files.names
        table = concatenate([frontier.columns, *columns], names)
        count = len(table["first"])
        across = -(-self.blocks.mask.width // self.blocks.side)
        seams = [row_seam(frontier.lines, faces.top, outside), column_seam(faces.left, faces.right, across)]
        self._add_borders(table, seams)
        groups, group_count = _groups(seams, count, self.meter.connectivity)
        merged = combine(table, groups, group_count)
        continues = np.zeros(group_count, dtype=bool)
        for line in faces.bottom.values():
            continues[groups[line.nodes[line.nodes != ABSENT]]] = True
        targets = np.empty(group_count, dtype=np.int64)
        targets[continues] = -1 - np.arange(continues.sum())
        targets[~continues] = self._complete(pick_rows(merged, ~continues))
        header = np.array([frontier.count, count, self.row_start, self.part_count])
        self.row_start = self.part_count
        self.files.row(self.rows).append(np.concatenate([header, groups, targets]))
        self.rows += 1
        return _Frontier(pick_rows(merged, continues), _carried(faces.bottom, groups, targets))

    def _add_borders(self, table: Columns, seams: list[Seam]) -> None:
        """Add the edges along seams to the columns of borders, and to the pairs, where these are asked for."""
        if "row_edges" not in table:
            return
        for seam, name in zip(seams, ("row_edges", "col_edges"), strict=True):
            for column, nodes in zip((name, "nodata_edges", "outside_edges"), seam.edges(), strict=True):
                np.add.at(table[column], nodes, 1)
            if self.meter.measures.neighbours:
                self.files.pairs.append(count_pairs(*seam.pairs()))


def _at_face(parts: BlockParts) -> npt.NDArray[np.bool_]:
    """Which parts have a pixel at a face of their block."""
    touched = np.zeros(parts.count + 1, dtype=bool)
    for line in (parts.labels[0], parts.labels[-1], parts.labels[:, 0], parts.labels[:, -1]):
        touched[line] = True
    return touched[1:]


def _groups(seams: list[Seam], count: int, connectivity: Connectivity) -> tuple[Int64s, int]:
    """The group of each node, and how many there are: the components of the graph of matches."""
    if not count:
        return np.zeros(0, dtype=np.int64), 0
    first, second = np.concatenate([seam.matches(connectivity) for seam in seams], axis=1)
    # here, since most jobs have no objects and it takes as long as the rest of this package
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    number, groups = connected_components(graph, directed=False)
    return groups.astype(np.int64), int(number)


def _carried(lines: dict[int, Line], groups: Int64s, targets: Int64s) -> dict[int, Line]:
    """Lines with the numbers that their components have in the frontier."""

    def renumbered(line: Line) -> Line:
        nodes = line.nodes.copy()
        inside = nodes != ABSENT
        nodes[inside] = -1 - targets[groups[nodes[inside]]]
        return Line(line.codes, line.parts, nodes)

    return {col: renumbered(line) for col, line in lines.items()}
