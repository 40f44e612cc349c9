"""Which of overlapping pieces wins: the first, the last, or the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pipeline.errors import SourceError
from pipeline.sources.mosaics.dates import in_utc, parse_date
from pipeline.sources.mosaics.piece import Piece, PieceFacts


def in_order(
    pieces: Sequence[Piece], facts: Sequence[PieceFacts], overlap: Literal["first", "last", "newest"]
) -> list[int]:
    """Places of the pieces, the one that wins first.

    Raises
    ------
    SourceError
        The newest is asked for, and a piece has no date.
    """
    if overlap == "newest":
        dates = [_date(piece, of_piece) for piece, of_piece in zip(pieces, facts, strict=True)]
        by_name = sorted(range(len(pieces)), key=lambda k: pieces[k].name)
        return sorted(by_name, key=lambda k: dates[k], reverse=True)  # which keeps the order of ties
    places = list(range(len(pieces)))
    return places[::-1] if overlap == "last" else places


def _date(piece: Piece, facts: PieceFacts) -> datetime:
    date = in_utc(piece.date) if piece.date is not None else parse_date(facts.date)
    if date is None:
        raise SourceError(
            f"source.overlap is newest, but nothing says when {piece.name} was taken. Name the date in source.path, as "
            f"in scenes/*_{{date}}.tif, write the tag TIFFTAG_DATETIME into the file, or give overlap: first or last."
        )
    return date
