"""One axis: spans, how they are cut, grown and aligned. Everything about tiling is a product of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple of ``multiple`` that is at least ``value``."""
    return -(-value // multiple) * multiple


def round_down(value: int, multiple: int) -> int:
    """Largest multiple of ``multiple`` that is at most ``value``."""
    return value // multiple * multiple


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open pixel interval ``[start, stop)`` of one axis."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"span [{self.start}, {self.stop}) ends before it starts")

    @property
    def size(self) -> int:
        """Length in px."""
        return self.stop - self.start

    def grow(self, halo: int) -> Span:
        """The span with ``halo`` px more on each side."""
        return Span(self.start - halo, self.stop + halo)

    def clip(self, stop: int) -> Span:
        """The part of the span inside ``[0, stop)``."""
        return Span(min(max(self.start, 0), stop), max(min(self.stop, stop), 0))

    def intersect(self, other: Span) -> Span:
        """What two spans share; empty, at the start of the later one, where they are apart."""
        start = max(self.start, other.start)
        return Span(start, max(min(self.stop, other.stop), start))

    def align(self, multiple: int) -> Span:
        """The smallest span around this one whose ends are multiples of ``multiple``."""
        return Span(round_down(self.start, multiple), round_up(self.stop, multiple))

    def index_in(self, outer: Span) -> slice:
        """Where this span lies inside ``outer``, as an index into an array that covers ``outer``."""
        return slice(self.start - outer.start, self.stop - outer.start)


def cut(length: int, step: int) -> Iterator[Span]:
    """Cut ``[0, length)`` into spans of ``step`` px; the last may be shorter."""
    for start in range(0, length, step):
        yield Span(start, min(start + step, length))


def cut_evenly(span: Span, largest: int, multiple: int) -> Iterator[Span]:
    """Cut an aligned span into the fewest pieces of at most ``largest`` px, of nearly equal size, cut at multiples.

    ``span.start`` and ``largest`` are multiples of ``multiple``; so is every inner cut.
    """
    units = -(-span.size // multiple)
    pieces = -(-units // (largest // multiple))
    cuts = [span.start + round_down(units * i, pieces) // pieces * multiple for i in range(pieces)]
    for start, stop in zip(cuts, [*cuts[1:], span.stop], strict=True):
        yield Span(start, stop)
