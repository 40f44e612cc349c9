"""What a person must know of a mosaic, in words."""

from __future__ import annotations

from collections import Counter

from pipeline.sources.mosaics.group import PieceGroup

MAX_NAMED_PIECES = 4
"""Pieces that a note names."""
_WINS = {"first": "the first", "last": "the last", "newest": "the newest"}


def mosaic_notes(group: PieceGroup, overlap: str) -> tuple[str, ...]:
    """How many pieces there are, which wins, what is left out, and what is to be said of pieces."""
    count = len(group.pieces)
    notes = [f"it is a mosaic of {count:,} pieces; {_WINS[overlap]} wins where they overlap"]
    if group.left_out:
        more = f" and {len(group.left_out) - MAX_NAMED_PIECES} more" if len(group.left_out) > MAX_NAMED_PIECES else ""
        listed = ", ".join(group.left_out[:MAX_NAMED_PIECES])
        notes.append(f"warning: pieces that cannot be read are left out: {listed}{more}")
    if count > 1 and len({(grid.wkt, grid.bounds) for grid in group.grids}) == 1:
        notes.append(
            "warning: all pieces cover the same ground, so that hardly any pixel comes of more than one; files that "
            "hold a band each are kind: bands"
        )
    return (*notes, *_notes_of_pieces(group))


def _notes_of_pieces(group: PieceGroup) -> list[str]:
    """Each note once, with the pieces that it is of."""
    counts = Counter(note for facts in group.facts for note in facts.notes)
    return [note if times == len(group.facts) else f"{times:,} pieces: {note}" for note, times in counts.items()]
