"""Windows of a store, at seams and far from them, inferred again.

As the run did it, and with a reference around them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest
from random import Random

import numpy as np

from pipeline.errors import InferenceError, ReadError
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, bounding_window
from pipeline.inference.opened_networks import inference
from pipeline.inference.read import pixel_checksum
from pipeline.inference.recipe import Block
from pipeline.planning.job import Job
from pipeline.quality.verify import seam_windows, stored_values, wide_halo_reference
from pipeline.quality.verify.block_sample import BlockSample
from pipeline.quality.verify.faults import Faults
from pipeline.quality.verify.logit_differences import (
    SEAM_DISTANCE_PX,
    ComparisonWindow,
    Logits,
    WindowErrors,
    undecided,
)
from pipeline.quality.verify.number_differences import ChannelErrors
from pipeline.quality.verify.seam_examples import WorstSeams
from pipeline.runtime.device import run_on_device_thread
from pipeline.store.ledger import Ledger
from pipeline.store.overviews import OverviewTask

PLACES_PER_BLOCK = 8
"""Places of a block that are drawn before the one with the most valid pixels is taken."""
CANDIDATES_PER_WINDOW = 4
"""Blocks with data that are looked at for each window, at the most, where they cannot be read or have no valid pixel
after all."""
LOGIT_BYTES = 2**26
"""Bytes of logits that windows hold at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockState:
    """A block as it is read now, and how its tiles were cut when it was committed."""

    block: Block
    layout: BlockGrid
    inside: Window | None
    """The rectangle that holds all wanted pixels, or None where there are none."""
    lines: seam_windows.Lines


@dataclass(slots=True, kw_only=True)
class SeamCheck:
    """What is found in windows."""

    job: Job
    reference: wide_halo_reference.ReferenceHalo
    faults: Faults
    labels: stored_values.LabelComparison = field(default_factory=stored_values.LabelComparison)
    seams: WindowErrors = field(default_factory=WindowErrors)
    control: WindowErrors = field(default_factory=WindowErrors)
    channels: ChannelErrors | None = None
    """Of a store without a mask: then ``seams`` and ``control`` are those of its worst channel."""
    worst: WorstSeams = field(default_factory=WorstSeams)
    """Of a store with a mask."""
    notify: Callable[[str], None] = lambda line: None
    """Told how far it is, in words."""

    def run(self, sample: BlockSample, windows: int, seed: int) -> None:
        """Look at so many seams, and at as many places that are far from them.

        Blocks without data must have no valid pixel.
        """
        views = self._draw_windows(sample, windows, Random(seed))
        window_bytes = self.reference.side**2 * self.job.locality.classes * 4
        while batch := list(islice(views, max(LOGIT_BYTES // window_bytes, 2))):
            self._fill(batch)
            for view in batch:
                self._compare(view)
                done = self.seams.windows + self.control.windows
                self.notify(
                    f"{done:,} of about {2 * windows:,} windows at seams and far from them compared with "
                    f"their references"
                )

    def overviews(self, samples: list[BlockSample], count: int, seed: int) -> None:
        """Make so many blocks of overviews again, of each level by turns."""
        rng = Random(seed)
        turns = zip_longest(
            *([(level, index) for index in sample.alternating(rng)] for level, sample in enumerate(samples, start=1))
        )
        for level, index in islice((place for group in turns for place in group if place), count):
            task = OverviewTask(store=self.job.path, spec=self.job.spec, level=level)
            for reason in stored_values.overview_differences(self.job.path, task, task.window(index)):
                self.faults.add(level, (index.row, index.col), reason)

    def _draw_windows(self, sample: BlockSample, windows: int, rng: Random) -> Iterator[ComparisonWindow]:
        """Views of each block that is drawn: the middle of a tile, and a seam where there is one."""
        count = 0
        for index in sample.full.in_random_order(CANDIDATES_PER_WINDOW * windows, rng):
            views = self._views(index, rng)
            yield from views
            count += bool(views)
            if count == windows:
                break
        for index in sample.empty.in_random_order(min(windows, len(sample.empty.blocks)), rng):
            yield from self._views(index, rng)

    def _views(self, index: BlockIndex, rng: Random) -> list[ComparisonWindow]:
        state = self._read_state(index)
        if state is None:
            return []
        if state.inside is None:
            for reason in stored_values.nonempty_layers(self.job.path, state.block.window, self.job.spec):
                self.faults.add(0, (index.row, index.col), reason)
            return []
        inside, side, layout = state.inside, self.reference.side, state.layout
        centre = _with_most_valid(
            state, [seam_windows.window_at_centre(state.lines, inside, side, rng) for _ in range(PLACES_PER_BLOCK)]
        )
        if not state.lines:
            return [
                ComparisonWindow(
                    centre if _valid_pixels(state, centre) else _around_valid_pixel(state, side, rng), is_at_seam=False
                )
            ]
        seam = _with_most_valid(
            state,
            [seam_windows.window_at_seam(state.lines, layout, inside, side, rng) for _ in range(PLACES_PER_BLOCK)],
        )
        if not _valid_pixels(state, centre) and not _valid_pixels(state, seam):
            seam = _around_valid_pixel(state, side, rng)
        return [ComparisonWindow(centre, is_at_seam=False), ComparisonWindow(seam, is_at_seam=True)]

    def _read_state(self, index: BlockIndex) -> BlockState | None:
        """Read a block as the run did; what differs from its record is a fault."""
        layout, place = self.job.task.layout, (index.row, index.col)
        record = Ledger(self.job.path).record(place) or {}
        for _ in range(record.get("halvings", 0)):
            layout = layout.halved() or layout
        area = self.job.task.requested(index)
        if area is not None and not area.any():
            return None
        try:
            block = self.job.task.block(index, area)
        except ReadError as error:
            self.faults.add(0, place, str(error))
            return None
        if record.get("source") != pixel_checksum(block.pixels, like=record.get("source")):
            self.faults.add(0, place, "the source gives other pixels there than when it was committed")
        inside = bounding_window(block.output_mask, block.window)
        return BlockState(
            block=block,
            layout=layout,
            inside=inside,
            lines=seam_windows.seam_lines(layout, index, inside or block.window),
        )

    def _fill(self, views: list[ComparisonWindow]) -> None:
        """Block by block, so that one is held at a time and a tile is inferred once for all windows that it touches."""
        touched: dict[BlockIndex, list[ComparisonWindow]] = defaultdict(list)
        for view in views:
            for index in _touched_blocks(view.window, self.job.task.layout.block):
                touched[index].append(view)
        for done, index in enumerate(sorted(touched)):
            self.notify(f"{done:,} of {len(touched):,} blocks with windows inferred again")
            state = self._read_state(index)
            if state is None:
                continue
            try:
                self._infer(state, touched[index])
            except InferenceError as error:
                self.faults.add(0, (index.row, index.col), str(error))
                continue
            for view in touched[index]:
                self._check(state, view)

    def _infer(self, state: BlockState, views: list[ComparisonWindow]) -> None:
        run = inference(self.job.task)
        for part, touching in _parts(state, views):
            logits = run_on_device_thread(partial(run.logits, state.block, state.layout, part))
            if logits is None:
                continue
            for view in touching:
                piece = view.window.intersect(part)
                view.fill(
                    piece, logits[(slice(None), *piece.index_in(part))], state.lines.distance(piece) < SEAM_DISTANCE_PX
                )

    def _check(self, state: BlockState, view: ComparisonWindow) -> None:
        """What is stored of a view's part of a block."""
        block, recipe = state.block, self.job.task.recipe
        part = view.window.intersect(block.window)
        logits = _part_of_logits(view, part, self.job.locality.classes * (1 + recipe.has_variance))
        valid = ~np.isnan(logits[0])
        expected = run_on_device_thread(lambda: inference(self.job.task).decoded(logits))
        for reason in stored_values.stored_differences(
            self.job.path, part, expected, valid, lambda wrong: undecided(logits, recipe, wrong), recipe, self.labels
        ):
            self.faults.add(0, (block.index.row, block.index.col), reason)

    def _compare(self, view: ComparisonWindow) -> None:
        if view.logits is None or np.isnan(view.logits[0]).all():
            return
        try:
            wider = wide_halo_reference.infer(self.job, self.reference, view.window)
        except (InferenceError, ReadError) as error:
            home = next(_touched_blocks(view.window, self.job.task.layout.block))
            self.faults.add(0, (home.row, home.col), f"no reference could be had at {view.window}: {error}")
            return
        recipe = self.job.task.recipe
        if not recipe.has_classes:
            self.channels = self.channels or ChannelErrors()
            self.channels.add(view.answer(recipe), recipe.answer_of(wider))
            worst = self.channels.worst()
            self.seams, self.control = self.channels.seams[worst], self.channels.control[worst]
            return
        decode = inference(self.job.task).decoded
        run_layers, reference_layers = (
            run_on_device_thread(partial(decode, logits)) for logits in (view.logits, wider)
        )
        tiled, whole = run_layers["mask"], reference_layers["mask"]
        view, wider = view.answer(recipe), recipe.answer_of(wider)
        (self.seams if view.is_at_seam else self.control).add(view, wider, tiled != whole)
        if view.is_at_seam:
            self.worst.add(self.job, view, wider, tiled, whole)


def _valid_pixels(state: BlockState, place: Window) -> int:
    """Pixels of a window that get a class, of those in a block."""
    window = state.block.window
    return int(state.block.output_mask[place.intersect(window).index_in(window)].sum())


def _with_most_valid(state: BlockState, places: list[Window]) -> Window:
    return max(places, key=lambda place: _valid_pixels(state, place))


def _around_valid_pixel(state: BlockState, side: int, rng: Random) -> Window:
    """Around a pixel that gets a class, where such pixels are so few that places drawn without looking hold none."""
    window, mask = state.block.window, state.block.output_mask
    places = np.flatnonzero(mask)
    row, col = np.unravel_index(places[rng.randrange(len(places))], mask.shape)
    return seam_windows.window_around(window.row + int(row), window.col + int(col), state.layout, side)


def _parts(state: BlockState, views: Iterable[ComparisonWindow]) -> Iterator[tuple[Window, list[ComparisonWindow]]]:
    """What is inferred at once: with halos all that windows want of a tile, where tiles are blended a window."""
    if state.inside is None:
        return
    block = state.block.window
    if state.layout.blended:
        yield from ((view.window.intersect(block), [view]) for view in views)
        return
    for tile in state.layout.tiles(state.block.index, state.inside):
        touching = [view for view in views if view.window.intersect(tile.keep).pixels]
        if touching:
            rows, cols = (
                [getattr(view.window.intersect(tile.keep), axis) for view in touching] for axis in ("rows", "cols")
            )
            yield Window.of(*(_hull(spans) for spans in (rows, cols))), touching


def _hull(spans: list[Span]) -> Span:
    return Span(min(span.start for span in spans), max(span.stop for span in spans))


def _part_of_logits(view: ComparisonWindow, part: Window, classes: int) -> Logits:
    if view.logits is None:
        return np.full((classes, part.height, part.width), np.nan, dtype=np.float32)
    return view.logits[(slice(None), *part.index_in(view.window))]


def _touched_blocks(window: Window, block: int) -> Iterator[BlockIndex]:
    for row in range(window.row // block, -(-window.rows.stop // block)):
        for col in range(window.col // block, -(-window.cols.stop // block)):
            yield BlockIndex(row, col)
