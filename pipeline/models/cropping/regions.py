"""Which part of each image is computed, where a part of the network's output is kept.

Backwards, from what is kept to what decides it; forwards, from what the network is given to what is cut off::

    |hhhhhhhh|cccccccc|hhhhhhhh|      what the network is given: core and halo
       |.....|cccccccc|.....|         what deep layers still need
           |.|cccccccc|.|             what the last layers need
             |cccccccc|               what is kept

Images are cut where that costs nothing or saves more than the copy: before they are joined, enlarged or convolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.geometry.span import Span, round_down, round_up
from pipeline.geometry.window import Window
from pipeline.models.cropping.axes import AxisRule, Enlarged, Pixelwise
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.steps import ImageStep, Record

MAX_LEFT_SHARE = {False: 0.95, True: 0.999}
"""Share of an image that may be left for a cut to be made: one that is copied for it, and one that is copied anyway."""
MAX_KEPT_REGIONS = 256
"""Of tiles and what is kept of them, whose regions are remembered; also for the next job with the same network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CroppedStep:
    """What becomes of one operation."""

    inputs: tuple[Window, ...]
    """The parts that it is given, px of each image."""
    present: tuple[Window, ...]
    """The parts of the same images that are there."""
    output: Window
    """The part that comes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Of one network, one size of image and one part that is kept."""

    steps: tuple[CroppedStep | None, ...]
    output: Window
    """The part of the output that comes of it."""

    @property
    def cut(self) -> bool:
        """Whether anything is."""
        return any(step is not None and step.inputs != step.present for step in self.steps)


@lru_cache(MAX_KEPT_REGIONS)
def plan_regions(record: Record, height: int, width: int, keep: Window) -> Regions:
    """Decide what is cut.

    Parameters
    ----------
    record
        Of the network.
    height, width
        Of the image, px.
    keep
        The part of the output that counts, px of the output.

    Raises
    ------
    Unsupported
        Images would have to be cut that are written into.
    """
    sizes = _sizes(record, height, width)
    needs = _needs(record, sizes, keep)
    present = {0: Window(row=0, col=0, height=height, width=width)}
    steps: list[CroppedStep | None] = []
    for step in record.steps:
        if step is None:
            steps.append(None)
            continue
        parts = tuple(present[image] for _, image in step.inputs)
        given = _given(step, parts, tuple(_need(step, needs[step.output], sizes[image]) for _, image in step.inputs))
        present[step.output] = _result(step, given)
        steps.append(CroppedStep(inputs=given, present=parts, output=present[step.output]))
    return Regions(steps=tuple(steps), output=present[record.output])


def _sizes(record: Record, height: int, width: int) -> dict[int, tuple[int, int]]:
    """(rows, cols) of every image, uncropped."""
    sizes = {0: (height, width)}
    for step in filter(None, record.steps):
        rows, cols = sizes[step.inputs[0][1]]
        sizes[step.output] = step.movement.rows.size(rows), step.movement.cols.size(cols)
    return sizes


def _needs(record: Record, sizes: dict[int, tuple[int, int]], keep: Window) -> dict[int, Window]:
    """The part of every image that decides what is kept."""
    needs = {record.output: keep}
    for step in filter(None, reversed(record.steps)):
        if step.output not in needs:
            needs[step.output] = Window(row=0, col=0, height=0, width=0)  # nobody asks for it
        for _, image in step.inputs:
            need = _need(step, needs[step.output], sizes[image])
            needs[image] = _hull(needs[image], need) if image in needs else need
    return needs


def _need(step: ImageStep, output: Window, size: tuple[int, int]) -> Window:
    if not output.pixels:
        return output
    spans = ((step.movement.rows, output.rows), (step.movement.cols, output.cols))
    rows, cols = (
        _aligned(rule.need(span).clip(length), rule.unit) for (rule, span), length in zip(spans, size, strict=True)
    )
    return Window.of(rows, cols)


def _aligned(span: Span, unit: int) -> Span:
    """Begins where windows of an operation would begin in the whole image."""
    return Span(round_down(span.start, unit), span.stop)


def _hull(one: Window, other: Window) -> Window:
    if not one.pixels or not other.pixels:
        return one if one.pixels else other
    rows, cols = (
        Span(min(a.start, b.start), max(a.stop, b.stop)) for a, b in ((one.rows, other.rows), (one.cols, other.cols))
    )
    return Window.of(rows, cols)


def _given(step: ImageStep, present: Sequence[Window], needs: Sequence[Window]) -> tuple[Window, ...]:
    """The parts that an operation is given: equal ones, unless it has one image alone."""
    if step.in_place:
        if any(window.intersect(present[0]) != present[0] for window in present):
            raise Unsupported("it writes into an image that is larger than another one beside it")
        return (present[0],) * len(present)
    common = present[0]
    for window in present[1:]:
        common = common.intersect(window)
    common = _on_grid(step, common)
    wanted = common.intersect(needs[0]) if needs[0].pixels else common
    # what is joined is copied anyway, and what is enlarged is small beside what comes of it
    free = step.movement.joins or isinstance(step.movement.rows, Enlarged)
    pays = step.copies and (free or not isinstance(step.movement.rows, Pixelwise))
    return ((wanted if pays and wanted.pixels <= MAX_LEFT_SHARE[free] * common.pixels else common),) * len(present)


def _on_grid(step: ImageStep, window: Window) -> Window:
    """Without the pixels before the first place where a window of the operation begins in the whole image."""
    rows, cols = (
        Span(round_up(span.start, rule.unit), span.stop)
        for span, rule in ((window.rows, step.movement.rows), (window.cols, step.movement.cols))
    )
    return Window.of(rows, cols)


def _result(step: ImageStep, given: Sequence[Window]) -> Window:
    rules: tuple[AxisRule, AxisRule] = (step.movement.rows, step.movement.cols)
    rows, cols = (rule.result(span) for rule, span in zip(rules, (given[0].rows, given[0].cols), strict=True))
    return Window.of(rows, cols)
