"""Windows of a store, at seams and far from them, inferred again: as the run did it, and with a reference around them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from random import Random

import numpy as np

from pipeline.errors import InferenceError, ReadError
from pipeline.geometry.blocks import BlockIndex, Layout
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, bounds
from pipeline.inference.block_task import inference
from pipeline.inference.read import checksum
from pipeline.inference.recipe import Block
from pipeline.planning.job import Job
from pipeline.quality.verify import seam_windows, stored_values, wide_halo_reference
from pipeline.quality.verify.block_sample import Draw
from pipeline.quality.verify.faults import Faults
from pipeline.quality.verify.logit_differences import NEAR, Logits, Tally, View, undecided
from pipeline.runtime.device import on_device
from pipeline.store.ledger import Ledger
from pipeline.store.overviews import LevelTask

TRIES = 8
"""Places of a block that are drawn before the one with the most valid pixels is taken."""
PASSED_OVER = 4
"""Blocks with data that are looked at for each window, at the most, where they cannot be read or have no valid pixel after all."""
HELD = 2**26
"""Bytes of logits that windows hold at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A block as it is read now, and how its tiles were cut when it was committed."""

    block: Block
    layout: Layout
    inside: Window | None
    """The rectangle that holds all wanted pixels, or None where there are none."""
    lines: seam_windows.Lines


@dataclass(slots=True, kw_only=True)
class Examination:
    """What is found in windows."""

    job: Job
    around: wide_halo_reference.Frame
    faults: Faults
    labels: stored_values.Labels = field(default_factory=stored_values.Labels)
    seams: Tally = field(default_factory=Tally)
    control: Tally = field(default_factory=Tally)
    tell: Callable[[str], None] = lambda line: None
    """Told how far it is, in words."""

    def look(self, draw: Draw, windows: int, seed: int) -> None:
        """Look at so many seams, and at as many places that are far from them; blocks without data must have no valid pixel."""
        views = self._draw(draw, windows, Random(seed))
        each = self.around.side**2 * self.job.locality.classes * 4
        while several := list(islice(views, max(HELD // each, 2))):
            self._fill(several)
            for view in several:
                self._compare(view)
                done = self.seams.windows + self.control.windows
                self.tell(f"{done:,} of about {2 * windows:,} windows at seams and far from them compared with their references")

    def overviews(self, draws: list[Draw], most: int, seed: int) -> None:
        """Make so many blocks of overviews again, of each level by turns."""
        rng = Random(seed)
        turns = zip_longest(*([(level, index) for index in draw.both(rng)] for level, draw in enumerate(draws, start=1)))
        for level, index in islice((place for several in turns for place in several if place), most):
            task = LevelTask(store=self.job.path, spec=self.job.spec, level=level)
            for why in stored_values.unlike(self.job.path, task, task.window(index)):
                self.faults.add(level, (index.row, index.col), why)

    def _draw(self, draw: Draw, windows: int, rng: Random) -> Iterator[View]:
        """Views of each block that is drawn: the middle of a tile, and a seam where there is one."""
        found = 0
        for index in draw.full.turns(PASSED_OVER * windows, rng):
            views = self._views(index, rng)
            yield from views
            found += bool(views)
            if found == windows:
                break
        for index in draw.empty.turns(min(windows, len(draw.empty.held)), rng):
            yield from self._views(index, rng)

    def _views(self, index: BlockIndex, rng: Random) -> list[View]:
        known = self._known(index)
        if known is None:
            return []
        if known.inside is None:
            for why in stored_values.unfilled(self.job.path, known.block.window, self.job.spec):
                self.faults.add(0, (index.row, index.col), why)
            return []
        inside, side, layout = known.inside, self.around.side, known.layout
        centre = _fullest(known, [seam_windows.at_a_centre(known.lines, inside, side, rng) for _ in range(TRIES)])
        if not known.lines:
            return [View(centre if _wanted(known, centre) else _anywhere(known, side, rng), at_a_seam=False)]
        seam = _fullest(known, [seam_windows.at_a_seam(known.lines, layout, inside, side, rng) for _ in range(TRIES)])
        if not _wanted(known, centre) and not _wanted(known, seam):
            seam = _anywhere(known, side, rng)
        return [View(centre, at_a_seam=False), View(seam, at_a_seam=True)]

    def _known(self, index: BlockIndex) -> Known | None:
        """Read a block as the run did; what differs from its record is a fault."""
        layout, place = self.job.task.layout, (index.row, index.col)
        record = Ledger(self.job.path).record(place) or {}
        for _ in range(record.get("halvings", 0)):
            layout = layout.halved() or layout
        area = self.job.task.asked(index)
        if area is not None and not area.any():
            return None
        try:
            block = self.job.task.block(index, area)
        except ReadError as error:
            self.faults.add(0, place, str(error))
            return None
        if record.get("source") != checksum(block.pixels, like=record.get("source")):
            self.faults.add(0, place, "the source gives other pixels there than when it was committed")
        inside = bounds(block.wanted, block.window)
        return Known(block=block, layout=layout, inside=inside, lines=seam_windows.lines(layout, index, inside or block.window))

    def _fill(self, views: list[View]) -> None:
        """Block by block, so that one is held at a time and a tile is inferred once for all windows that it touches."""
        touched: dict[BlockIndex, list[View]] = defaultdict(list)
        for view in views:
            for index in _touched(view.window, self.job.task.layout.block):
                touched[index].append(view)
        for done, index in enumerate(sorted(touched)):
            self.tell(f"{done:,} of {len(touched):,} blocks with windows inferred again")
            known = self._known(index)
            if known is None:
                continue
            try:
                self._infer(known, touched[index])
            except InferenceError as error:
                self.faults.add(0, (index.row, index.col), str(error))
                continue
            for view in touched[index]:
                self._check(known, view)

    def _infer(self, known: Known, views: list[View]) -> None:
        run = inference(self.job.task)
        for part, several in _parts(known, views):
            logits = on_device(lambda part=part: run.logits(known.block, known.layout, part))  # type: ignore[misc]  # bound now
            if logits is None:
                continue
            for view in several:
                piece = view.window.meet(part)
                view.fill(piece, logits[(slice(None), *piece.within(part))], known.lines.distance(piece) < NEAR)

    def _check(self, known: Known, view: View) -> None:
        """What is stored of a view's part of a block."""
        block, recipe = known.block, self.job.task.recipe
        part = view.window.meet(block.window)
        logits = _cut(view, part, self.job.locality.classes)
        wanted = ~np.isnan(logits[0])
        expected = on_device(lambda: inference(self.job.task).decoded(logits))
        for why in stored_values.differences(self.job.path, part, expected, wanted, lambda wrong: undecided(logits, recipe, wrong), recipe, self.labels):
            self.faults.add(0, (block.index.row, block.index.col), why)

    def _compare(self, view: View) -> None:
        if view.logits is None or np.isnan(view.logits[0]).all():
            return
        try:
            wider = wide_halo_reference.infer(self.job, self.around, view.window)
        except (InferenceError, ReadError) as error:
            home = next(_touched(view.window, self.job.task.layout.block))
            self.faults.add(0, (home.row, home.col), f"no reference could be had at {view.window}: {error}")
            return
        ours, theirs = (on_device(lambda said=said: inference(self.job.task).decoded(said)) for said in (view.logits, wider))  # type: ignore[misc]  # bound now
        (self.seams if view.at_a_seam else self.control).add(view, wider, ours["mask"] != theirs["mask"])


def _wanted(known: Known, place: Window) -> int:
    """Pixels of a window that get a class, of those in a block."""
    window = known.block.window
    return int(known.block.wanted[place.meet(window).within(window)].sum())


def _fullest(known: Known, places: list[Window]) -> Window:
    return max(places, key=lambda place: _wanted(known, place))


def _anywhere(known: Known, side: int, rng: Random) -> Window:
    """Around a pixel that gets a class, where such pixels are so few that places drawn without looking hold none."""
    window, wanted = known.block.window, known.block.wanted
    places = np.flatnonzero(wanted)
    row, col = np.unravel_index(places[rng.randrange(len(places))], wanted.shape)
    return seam_windows.around(window.row + int(row), window.col + int(col), known.layout, side)


def _parts(known: Known, views: Iterable[View]) -> Iterator[tuple[Window, list[View]]]:
    """What is inferred at once: with halos all that windows want of a tile, where tiles are blended a window."""
    if known.inside is None:
        return
    block = known.block.window
    if known.layout.blended:
        yield from ((view.window.meet(block), [view]) for view in views)
        return
    for tile in known.layout.tiles(known.block.index, known.inside):
        several = [view for view in views if view.window.meet(tile.keep).pixels]
        if several:
            rows, cols = ([getattr(view.window.meet(tile.keep), axis) for view in several] for axis in ("rows", "cols"))
            yield Window.of(*(_hull(spans) for spans in (rows, cols))), several


def _hull(spans: list[Span]) -> Span:
    return Span(min(span.start for span in spans), max(span.stop for span in spans))


def _cut(view: View, part: Window, classes: int) -> Logits:
    if view.logits is None:
        return np.full((classes, part.height, part.width), np.nan, dtype=np.float32)
    return view.logits[(slice(None), *part.within(view.window))]


def _touched(window: Window, block: int) -> Iterator[BlockIndex]:
    for row in range(window.row // block, -(-window.rows.stop // block)):
        for col in range(window.col // block, -(-window.cols.stop // block)):
            yield BlockIndex(row, col)
