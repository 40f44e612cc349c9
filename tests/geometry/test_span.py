import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.span import Span, cut, cut_evenly, round_down, round_up


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_rounding_brackets_the_value(value: int, multiple: int) -> None:
    low, high = round_down(value, multiple), round_up(value, multiple)
    assert low <= value <= high
    assert low % multiple == high % multiple == 0
    assert high - low in (0, multiple)


@given(st.integers(1, 500), st.integers(1, 60))
def test_cut_covers_every_pixel_once(length: int, step: int) -> None:
    pixels = [p for span in cut(length, step) for p in range(span.start, span.stop)]
    assert pixels == list(range(length))


@given(st.integers(0, 20), st.integers(1, 40), st.integers(1, 12), st.integers(1, 9))
def test_even_cuts_cover_once_are_aligned_and_differ_by_one_unit(
    start: int, units: int, largest: int, multiple: int
) -> None:
    span = Span(start * multiple, (start + units) * multiple)
    pieces = list(cut_evenly(span, largest * multiple, multiple))
    assert [p for piece in pieces for p in range(piece.start, piece.stop)] == list(range(span.start, span.stop))
    assert all(piece.start % multiple == 0 and piece.size <= largest * multiple for piece in pieces)
    assert max(piece.size for piece in pieces) - min(piece.size for piece in pieces) in (0, multiple)
    assert len(pieces) == -(-units // largest)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before"):
        Span(4, 3)


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(0, 40))
def test_clip_keeps_what_lies_inside(start: int, size: int, stop: int) -> None:
    span = Span(start, start + size)
    clipped = span.clip(stop)
    assert set(range(clipped.start, clipped.stop)) == set(range(span.start, span.stop)) & set(range(stop))
