"""Connected components of a whole mask: a table of them in the order of their ids, and the labels of any block."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.grid import id_dtype
from pipeline.geometry.window import Window
from pipeline.objects.columns import AREA_COLUMNS, Columns, FixedPoint, Int64s, Measures
from pipeline.objects.labels import Connectivity, label_block
from pipeline.objects.mask import Mask, MaskBlocks
from pipeline.objects.measure import BlockMeter, sum_pairs
from pipeline.objects.scratch import PIECE, LongArray, LongTable
from pipeline.objects.sweep import ROW_HEADER, BlockHook, ComponentSweep, SweepFiles
from pipeline.store.ledger import BlockPosition

SORTED_AT_ONCE = 2**22
"""Components that are put in order at once: 32 MiB of indices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Connected components of a mask, in the order of their ids; a component's index is its row in the table."""

    blocks: MaskBlocks
    connectivity: Connectivity
    measures: Measures
    files: SweepFiles
    table: LongTable
    """Columns as in `pipeline.objects.columns.COMBINE`, those that were asked for."""
    area_unit: FixedPoint

    def __len__(self) -> int:
        return len(self.table)

    @property
    def id_dtype(self) -> np.dtype[Any]:
        """uint32 where the ids of the grid fit, else uint64."""
        return np.dtype(id_dtype(self.blocks.mask.height, self.blocks.mask.width))

    def ids(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Ids of components: 1 + the row-major index of their first pixel."""
        return (self.table.column("first").read(start, stop) + 1).astype(self.id_dtype)

    def areas(self, rows: Columns) -> npt.NDArray[np.float64]:
        """Areas of rows of the table, in the unit of ``measures.area_of``."""
        return self.area_unit.join(*(rows[name] for name in AREA_COLUMNS))

    def batches(self, size: int = 2**16) -> Iterator[Columns]:
        """Rows of the table in order, so many at once."""
        for start in range(0, len(self), size):
            yield self.table.read(start, start + size)

    def indices(self, position: BlockPosition) -> Int64s:
        """(n + 1,) index of the component of each label of a block; −1 for label 0, which is nodata."""
        number = self.blocks.number(position)
        starts = self.files.blocks.read(number, number + 2)
        stop = int(starts[1]) if len(starts) > 1 else len(self.files.parts)
        return np.concatenate([[-1], self.files.parts.read(int(starts[0]), stop)])

    def index_block(self, position: BlockPosition) -> tuple[Window, npt.NDArray[Any], Int64s]:
        """Read a block once more and label it.

        Returns
        -------
        Window, ndarray, ndarray
            Its window; (rows, cols) codes; (rows, cols) indices of components, −1 at nodata.
        """
        window = self.blocks.window(position)
        codes = self.blocks.mask.read(window)
        labels, _ = label_block(codes, self.blocks.mask.nodata, self.connectivity)
        return window, codes, self.indices(position)[labels]

    def borders(self, size: int = SORTED_AT_ONCE) -> Iterator[tuple[int, int, Int64s]]:
        """Edges that components share, for so many components at once; only with ``measures.neighbours``.

        Yields
        ------
        int, int, ndarray
            Indices of the first component and of the one after the last; (n, 3) component among these, neighbour, and
            the pixel edges that they share, in order.
        """
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield start, stop, self._borders(start, stop)

    def _borders(self, start: int, stop: int) -> Int64s:
        directed = np.zeros((0, 3), dtype=np.int64)
        for _, piece in self.files.pairs.pieces():
            both = np.concatenate([piece, piece[:, [1, 0, 2]]])
            inside = both[(both[:, 0] >= start) & (both[:, 0] < stop)]
            directed = sum_pairs(np.concatenate([directed, inside]))
        return directed

    def remove(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self.files.folder, ignore_errors=True)


def find_components(
    blocks: MaskBlocks,
    scratch: Path,
    *,
    connectivity: Connectivity = 4,
    measures: Measures | None = None,
    after_block: BlockHook | None = None,
) -> Components:
    """Connected components of equal class in a whole mask, by one pass over its blocks.

    The table is the same for whatever blocks the mask is read by.

    Parameters
    ----------
    blocks
        The mask and its blocks.
    scratch
        An empty folder, or one to be made: 8 bytes per component and column, and 8 per part of a block.
    connectivity
        4: pixels touch by edges; 8: by corners too.
    measures
        What is measured beside the place and size of each component.
    after_block
        Called after each block.
    """
    measures = measures or Measures()
    scratch.mkdir(parents=True, exist_ok=True)
    files = SweepFiles(folder=scratch, names=measures.names)
    unit = _area_unit(blocks.mask, measures)
    meter = BlockMeter(mask=blocks.mask, connectivity=connectivity, measures=measures, area_unit=unit)
    rows = ComponentSweep(blocks=blocks, meter=meter, files=files, after_block=after_block).run()
    table = LongTable(scratch / "sorted", files.names)
    ranks = _sort(files.complete, table)
    _resolve(files, rows, ranks)
    if measures.neighbours:
        _resolve_pairs(files)
    return Components(
        blocks=blocks, connectivity=connectivity, measures=measures, files=files, table=table, area_unit=unit
    )


def _area_unit(mask: Mask, measures: Measures) -> FixedPoint:
    """By the area of one pixel that does not depend on blocks, the one in the middle."""
    if measures.area_of is None:
        return FixedPoint(1.0)
    middle = Window(row=mask.height // 2, col=mask.width // 2, height=1, width=1)
    return FixedPoint.near(float(np.asarray(measures.area_of(middle)).reshape(())))


def _sort(complete: LongTable, table: LongTable) -> LongArray:
    """Write a table in the order of ids; the place of each row of the first one in it."""
    table.folder.mkdir()
    first, ranks = complete.column("first"), LongArray(complete.folder / "ranks.i64")
    for _, piece in first.pieces():
        ranks.append(np.zeros_like(piece))
    done = 0
    for low, high in _ranges(first):
        inside = [start + np.flatnonzero((piece >= low) & (piece < high)) for start, piece in first.pieces()]
        rows = np.concatenate(inside)
        rows = rows[np.argsort(first.take(rows), kind="stable")]
        ranks.put(rows, np.arange(done, done + len(rows)))
        table.append(complete.take(rows))
        done += len(rows)
    return ranks


def _ranges(first: LongArray) -> list[tuple[int, int]]:
    """Ranges of values of which each holds few enough to be sorted at once; they are cut by a sample."""
    ends = np.iinfo(np.int64)
    count = -(-len(first) // SORTED_AT_ONCE)
    if count <= 1:
        return [(0, ends.max)] if len(first) else []
    sample = np.sort(np.concatenate([piece[:: max(len(first) >> 16, 1)] for _, piece in first.pieces()]))
    cuts = np.unique(sample[np.linspace(0, len(sample), 2 * count + 1).astype(int)[1:-1]]).tolist()
    return list(zip([0, *cuts], [*cuts, ends.max], strict=True))


def _resolve(files: SweepFiles, rows: int, ranks: LongArray) -> None:
    """Write the index of its component for each part, from the last row of blocks to the first.

    What a component became is known once the rows below it are.
    """
    below = np.zeros(0, dtype=np.int64)
    for number in reversed(range(rows)):
        carried, count, start, stop = files.row(number).read(0, ROW_HEADER).tolist()
        groups, targets = np.split(files.row(number).read(ROW_HEADER), [count])
        goes_on = targets < 0
        targets[goes_on] = below[-1 - targets[goes_on]]
        below, faces = np.split(targets[groups], [carried])
        for at in range(start, stop, PIECE):
            parts = files.parts.read(at, min(at + PIECE, stop))
            at_face = parts < 0
            parts[at_face] = faces[-1 - parts[at_face]]
            files.parts.write(at, ranks.take(parts))
        files.row(number).path.unlink()


def _resolve_pairs(files: SweepFiles) -> None:
    """Write indices of components in place of the numbers of parts."""
    for start, piece in files.pairs.pieces():
        numbers = files.parts.take(piece[:, :2].ravel()).reshape(-1, 2)
        files.pairs.write(start, np.column_stack([numbers, piece[:, 2]]))
