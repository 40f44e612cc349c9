"""Overviews: a second pass with its own blocks and commit records, each level from the one below.

A block of an overview covers several blocks of the level below, so whoever writes those cannot write it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError, StoreError
from pipeline.geometry.blocks import BlockIndex, _BlockKey, overview_blocks_above
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window
from pipeline.interfaces import Engine
from pipeline.locations import Place
from pipeline.runtime.clock import Clock, Timing, timed_stage
from pipeline.store.downsample import PixelArray
from pipeline.store.layers import layer_kind, validity_layer
from pipeline.store.lease.claim_files import read_store_id
from pipeline.store.lease.lease import assert_held
from pipeline.store.ledger import Ledger, commit_block, has_any_chunk, written_part
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import StoreSpec

PlaneIndex = tuple[int | slice, ...]
"""A place on the axis of classes or channels of a layer that has one, else nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewDone:
    """A block of an overview that is committed."""

    index: BlockIndex
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewTask:
    """Makes the blocks of one overview from the level below; small and picklable."""

    store: Place
    spec: StoreSpec
    level: int
    store_id: str = ""
    """Id of the store, as for `assert_held`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks: (rows, cols)."""
        grid, side = self.spec.grid.level(self.level), self.spec.overview_block
        return -(-grid.height // side), -(-grid.width // side)

    def window(self, index: BlockIndex) -> Window:
        """The pixels of the overview that a block owns."""
        grid, side = self.spec.grid.level(self.level), self.spec.overview_block
        rows, cols = (Span(i * side, (i + 1) * side) for i in (index.row, index.col))
        return Window.of(rows, cols).clip(grid.height, grid.width)

    def __call__(self, index: BlockIndex) -> OverviewDone:
        """Reduce, write and commit one block."""
        clock = Clock()
        with clock.running():
            self._make(index, self.window(index))
        return OverviewDone(index=index, timing=clock.timing("overview", (index.row, index.col), self.level))

    def _make(self, index: BlockIndex, window: Window) -> None:
        assert_held(self.store, self.store_id)
        if self._written_below(window) is not None or self._is_written(window):
            for layer, where, values in self.reduced(window):
                with timed_stage("write"):
                    open_layer(self.store, self.level, layer)[where + window.slices] = values
        with timed_stage("commit"):
            assert_held(self.store, self.store_id)
            commit_block(self.store, self.level, (index.row, index.col), window, self.spec.layers, {})

    def reduced(self, window: Window) -> Iterator[tuple[str, PlaneIndex, PixelArray]]:
        """All layers of a block, plane by plane: the layer, the place on its axis if it has one, and its pixels.

        The pixels are gone when the next are asked for. Strips are one chunk high: beside one plane of the block and
        one strip, what is held is a bit per pixel below. What is not written below is not looked at.
        """
        strips = list(self._strips(window))
        validity: list[npt.NDArray[np.uint8]] = []
        (main, place), *others = self._planes()
        main_spec = self.spec.layer(main)
        result = np.full((window.height, window.width), main_spec.fill, main_spec.dtype)
        for index, below in strips:
            pixels = self._read(main, place, below)
            valid = self._validity(pixels, below)
            result[index] = layer_kind(main).reduce(pixels, valid, main_spec.fill)
            validity.append(np.packbits(valid, axis=1))
        yield main, place, result
        for layer, where in others:
            layer_spec = self.spec.layer(layer)
            if result.dtype != layer_spec.dtype:  # else what the caller has written by now makes room
                result = np.empty((window.height, window.width), layer_spec.dtype)
            result.fill(layer_spec.fill)
            for (index, below), bits in zip(strips, validity, strict=True):
                valid = np.unpackbits(bits, axis=1, count=below.width).view(np.bool_)
                result[index] = layer_kind(layer).reduce(self._read(layer, where, below), valid, layer_spec.fill)
            yield layer, where, result

    def _strips(self, window: Window) -> Iterator[tuple[tuple[slice, slice], Window]]:
        """Rows of chunks of a block as far as anything is written below: their place in it, and the pixels below."""
        written = self._written_below(window)
        if written is None:
            return
        rows, cols = (Span(span.start // 2, -(-span.stop // 2)) for span in (written.rows, written.cols))
        for strip in cut(window.height, self.spec.chunk):
            part = Span(window.row + strip.start, window.row + strip.stop).intersect(rows)
            if part.size:
                reduced = Window.of(part, cols)
                yield reduced.index_in(window), self._below(reduced)

    def _written_below(self, window: Window) -> Window | None:
        return written_part(self.store, self.level - 1, self.spec.layers, self._below(window))

    def _is_written(self, window: Window) -> bool:
        """Whether a block has pixels, from a time at which there were some below."""
        return any(has_any_chunk(self.store, self.level, layer, window) for layer in self.spec.layers)

    def _planes(self) -> Iterator[tuple[str, PlaneIndex]]:
        """Every layer and every place on its axis of classes or channels, the main layer first."""
        main = self.spec.main_layer
        for layer in (main, *(layer for layer in self.spec.layers if layer != main)):
            planes = self.spec.layer(layer).planes
            yield from ((layer, where) for where in ([()] if planes is None else [(k,) for k in range(planes)]))

    def _validity(self, pixels: PixelArray, below: Window) -> npt.NDArray[np.bool_]:
        """Pixels that the network answered for.

        Those of the main layer, and where a mask may pass over some, those of the layer that says so best. An invalid
        pixel is invalid in all channels, so that the first tells.
        """
        valid = _is_valid(pixels, self.spec.layer(self.spec.main_layer).fill)
        if self.spec.has_min_confidence:
            tells = validity_layer(self.spec.layers)
            for layer, where in self._planes():
                if layer == tells and (layer_kind(layer).axis != "channel" or where == (0,)):
                    valid |= _is_valid(self._read(layer, where, below), self.spec.layer(layer).fill)
        return valid

    def _read(self, layer: str, where: PlaneIndex, below: Window) -> PixelArray:
        try:
            return np.asarray(open_layer(self.store, self.level - 1, layer)[where + below.slices])
        except (OSError, PipelineError):
            raise
        except Exception as error:  # a codec raises what it likes
            raise StoreError(
                f"{self.store} is damaged: {layer} of level {self.level - 1} cannot be read at {below}, "
                f"though it was committed. "
                "verify names the blocks and says how they are made anew; or run with --fresh."
            ) from error

    def _below(self, window: Window) -> Window:
        """The pixels of the level below that a window of this one is made from."""
        grid = self.spec.grid.level(self.level - 1)
        return Window(row=2 * window.row, col=2 * window.col, height=2 * window.height, width=2 * window.width).clip(
            grid.height, grid.width
        )


def _is_valid(pixels: PixelArray, fill: float) -> npt.NDArray[np.bool_]:
    return np.asarray((pixels != fill) & (pixels == pixels))  # NaN is not itself


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewLevel:
    """The blocks of one overview that there must be."""

    task: OverviewTask
    selected: set[_BlockKey] | None
    """None for all."""

    @property
    def count(self) -> int:
        """How many there are."""
        rows, cols = self.task.shape
        return rows * cols if self.selected is None else len(self.selected)

    def blocks(self) -> Iterator[BlockIndex]:
        """All of them, row by row."""
        rows, cols = self.task.shape
        every = (
            ((row, col) for row in range(rows) for col in range(cols))
            if self.selected is None
            else sorted(self.selected)
        )
        return (BlockIndex(*block) for block in every)

    def missing(self) -> Iterator[BlockIndex]:
        """Those without a record; records of one row are held at a time."""
        ledger = Ledger(self.task.store, self.task.level, self.task.spec.main_layer)
        for row, blocks in groupby(self.blocks(), key=lambda index: index.row):
            committed = ledger.committed_in(row)
            yield from (index for index in blocks if (row, index.col) not in committed)


def levels(path: Place, spec: StoreSpec, block: int | None = None) -> list[OverviewLevel]:
    """The overviews of a store, finest first.

    Parameters
    ----------
    path, spec
        The store.
    block
        Side of the blocks of full resolution, px, where only some of them are asked for: then overviews lie over those
        that are committed.
    """
    store_id = read_store_id(path)
    tasks = [OverviewTask(store=path, spec=spec, level=level, store_id=store_id) for level in range(1, spec.levels)]
    per_level = (
        [None] * len(tasks)
        if block is None
        else overview_blocks_above(Ledger(path).listed(), block, spec.overview_block, spec.levels)
    )
    return [OverviewLevel(task=task, selected=selected) for task, selected in zip(tasks, per_level, strict=True)]


def invalidate_above(path: Place, spec: StoreSpec, block: int, blocks: Iterable[_BlockKey]) -> None:
    """Forget the records of overviews above blocks of full resolution, of ``block`` px, that are about to be made."""
    ledgers = [Ledger(path, level) for level in range(1, spec.levels)]
    if not any(next(ledger.listed(), None) for ledger in ledgers):
        return
    for ledger, affected in zip(
        ledgers, overview_blocks_above(blocks, block, spec.overview_block, spec.levels), strict=True
    ):
        for place in affected:
            ledger.drop(place)


def build_overviews(
    path: Place,
    spec: StoreSpec,
    progress: Callable[[int, int], None] = lambda done, total: None,
    engine: Engine = map,
    block: int | None = None,
) -> None:
    """Write all overviews that are not committed yet, level by level.

    Parameters
    ----------
    path
        A store whose blocks are all committed.
    spec
        Its spec; the overviews of a derived layer are built by a spec of that layer alone.
    progress
        Called with the blocks done and the blocks of all overviews.
    engine
        Runs the blocks of one level, in any order; ``map`` runs one after the other.
    block
        As for `levels`.
    """
    every = levels(path, spec, block)
    total, done = sum(level.count for level in every), 0
    for level in every:
        committed = Ledger(path, level.task.level, spec.main_layer).count()
        for built, _ in enumerate(engine(level.task, level.missing()), start=1):
            progress(done + committed + built, total)
        done += level.count
        progress(done, total)
