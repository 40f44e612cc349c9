"""Overviews: a second pass with its own blocks and commit records, each level from the one below.

A block of an overview covers several blocks of the level below, so whoever writes those cannot write it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError, StoreError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.overview_blocks import BlockKey, due
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window
from pipeline.interfaces import Engine
from pipeline.locations import Place
from pipeline.runtime.clock import Clock, Timing, stage
from pipeline.store.downsample import Array, reduce_mask, reduce_mean
from pipeline.store.lease.claim_files import identity
from pipeline.store.lease.lease import confirm
from pipeline.store.ledger import Ledger, commit_block, holds_anything
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import StoreSpec

Where = tuple[int | slice, ...]
"""A place on the class axis of a layer that has one, else nothing."""
TELLING = ("entropy", "confidence", "probabilities")
"""Layers by which a pixel without an answer is told from one with a doubtful one, the plainest first."""


def serial(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """One block after another: the meaning of every engine."""
    return map(work, items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A block of an overview that is committed."""

    index: BlockIndex
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTask:
    """Makes the blocks of one overview from the level below; small and picklable."""

    store: Place
    spec: StoreSpec
    level: int
    made: str = ""
    """Id of the store, as for `confirm`."""

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

    def __call__(self, index: BlockIndex) -> Made:
        """Reduce, write and commit one block."""
        clock = Clock()
        with clock.running():
            self._make(index, self.window(index))
        return Made(index=index, timing=clock.timing("overview", (index.row, index.col), self.level))

    def _make(self, index: BlockIndex, window: Window) -> None:
        confirm(self.store, self.made)
        if any(holds_anything(self.store, self.level - 1, layer, self._below(window)) for layer in self.spec.layers):
            for layer, where, values in self.reduced(window):
                with stage("write"):
                    open_layer(self.store, self.level, layer)[where + window.slices] = values
        with stage("commit"):
            confirm(self.store, self.made)
            commit_block(self.store, self.level, (index.row, index.col), window, self.spec.layers, {})

    def reduced(self, window: Window) -> Iterator[tuple[str, Where, Array]]:
        """All layers of a block, class by class: the layer, the place on its class axis if it has one, and its pixels.

        The pixels are gone when the next are asked for. Strips are one chunk high: beside one plane of the block and one strip,
        what is held is a bit per pixel below.
        """
        strips = [
            (rows, self._below(Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)))
            for rows in cut(window.height, self.spec.chunk)
        ]
        known: list[npt.NDArray[np.uint8]] = []
        made = np.empty((window.height, window.width), self.spec.dtype)
        for rows, below in strips:
            mask = self._read("mask", (), below)
            made[rows.start : rows.stop] = reduce_mask(mask, self.spec.nodata)
            known.append(np.packbits(self._known(mask, below), axis=1))
        yield "mask", (), made
        for layer, where in self._planes():
            of = self.spec.layer(layer)
            if made.dtype != of.dtype:  # else what the caller has written by now makes room
                made = np.empty((window.height, window.width), of.dtype)
            for (rows, below), bits in zip(strips, known, strict=True):
                valid = np.unpackbits(bits, axis=1, count=below.width).view(np.bool_)
                made[rows.start : rows.stop] = reduce_mean(self._read(layer, where, below), valid, of.fill)
            yield layer, where, made

    def _planes(self) -> Iterator[tuple[str, Where]]:
        """Every layer but the mask, and every place on its class axis."""
        for layer in self.spec.layers:
            if layer != "mask":
                planes = self.spec.layer(layer).planes
                yield from ((layer, where) for where in ([()] if planes is None else [(k,) for k in range(planes)]))

    def _known(self, mask: Array, below: Window) -> npt.NDArray[np.bool_]:
        """Pixels that the network answered for: those of the mask, and where it may pass over some, those of the layer that says so best."""
        known = np.asarray(mask != self.spec.nodata)
        if self.spec.doubtful:
            tells = next((layer for layer in TELLING if layer in self.spec.layers), None)
            for layer, where in self._planes():
                if layer == tells:
                    values = self._read(layer, where, below)
                    known |= (values != self.spec.layer(layer).fill) & (values == values)  # NaN is not itself
        return known

    def _read(self, layer: str, where: Where, below: Window) -> Array:
        try:
            return np.asarray(open_layer(self.store, self.level - 1, layer)[where + below.slices])
        except (OSError, PipelineError):
            raise
        except Exception as error:  # a codec raises what it likes
            raise StoreError(
                f"{self.store} is damaged: {layer} of level {self.level - 1} cannot be read at {below}, though it was committed. "
                "verify names the blocks and says how they are made anew; or run with --fresh."
            ) from error

    def _below(self, window: Window) -> Window:
        """The pixels of the level below that a window of this one is made from."""
        grid = self.spec.grid.level(self.level - 1)
        return Window(row=2 * window.row, col=2 * window.col, height=2 * window.height, width=2 * window.width).clip(grid.height, grid.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The blocks of one overview that there must be."""

    task: LevelTask
    due: set[BlockKey] | None
    """None for all."""

    @property
    def count(self) -> int:
        """How many there are."""
        rows, cols = self.task.shape
        return rows * cols if self.due is None else len(self.due)

    def blocks(self) -> Iterator[BlockIndex]:
        """All of them, row by row."""
        rows, cols = self.task.shape
        every = ((row, col) for row in range(rows) for col in range(cols)) if self.due is None else sorted(self.due)
        return (BlockIndex(*block) for block in every)

    def missing(self) -> Iterator[BlockIndex]:
        """Those without a record; records of one row are held at a time."""
        ledger = Ledger(self.task.store, self.task.level)
        for row, blocks in groupby(self.blocks(), key=lambda index: index.row):
            there = ledger.committed_in(row)
            yield from (index for index in blocks if (row, index.col) not in there)


def levels(path: Place, spec: StoreSpec, block: int | None = None) -> list[Level]:
    """The overviews of a store, finest first.

    Parameters
    ----------
    path, spec
        The store.
    block
        Side of the blocks of full resolution, px, where only some of them are asked for: then overviews lie over those that are committed.
    """
    made = identity(path)
    tasks = [LevelTask(store=path, spec=spec, level=level, made=made) for level in range(1, spec.levels)]
    over = [None] * len(tasks) if block is None else due(Ledger(path).committed(), block, spec.overview_block, spec.levels)
    return [Level(task=task, due=some) for task, some in zip(tasks, over, strict=True)]


def outdate(path: Place, spec: StoreSpec, block: int, blocks: Iterable[BlockKey]) -> None:
    """Forget the records of overviews above blocks of full resolution, of ``block`` px, that are about to be made."""
    ledgers = [Ledger(path, level) for level in range(1, spec.levels)]
    if not any(next(ledger.listed(), None) for ledger in ledgers):
        return
    for ledger, over in zip(ledgers, due(blocks, block, spec.overview_block, spec.levels), strict=True):
        for place in over:
            ledger.drop(place)


def build(
    path: Place,
    spec: StoreSpec,
    progress: Callable[[int, int], None] = lambda done, total: None,
    engine: Engine = serial,
    block: int | None = None,
) -> None:
    """Write all overviews that are not committed yet, level by level.

    Parameters
    ----------
    path
        A store whose blocks are all committed.
    spec
        Its spec.
    progress
        Called with the blocks done and the blocks of all overviews.
    engine
        Runs the blocks of one level, in any order.
    block
        As for `levels`.
    """
    every = levels(path, spec, block)
    total, done = sum(level.count for level in every), 0
    for level in every:
        there = Ledger(path, level.task.level).count()
        for made, _ in enumerate(engine(level.task, level.missing()), start=1):
            progress(done + there + made, total)
        done += level.count
        progress(done, total)
