"""The pieces of a mosaic that can be read and fit together, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.redact import redacted
from pipeline.sources.mosaics.history import digest_of_pieces
from pipeline.sources.mosaics.index import Entry, entries_of
from pipeline.sources.mosaics.lattice import Mismatch
from pipeline.sources.mosaics.piece import Piece, PieceFacts


class LatticeError(SourceError):
    """Pieces whose pixels do not lie on one lattice."""

    def __init__(self, message: str, grid: dict[str, str | float] | None) -> None:
        """With the ``source.grid`` that may be given, where the first piece suggests one."""
        super().__init__(message)
        self.grid = grid


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceGroup:
    """Pieces that can be read, in the order in which they were given."""

    pieces: Sequence[Piece]
    facts: Sequence[PieceFacts]
    marks: Sequence[str]
    left_out: Sequence[str]
    """Names of pieces that cannot be read, where these are nodata."""

    @property
    def grids(self) -> list[Grid]:
        """Of all pieces."""
        return [facts.grid for facts in self.facts]

    def identity(self, order: Sequence[int], config: SourceConfig) -> dict[str, Any]:
        """What makes this mosaic this mosaic, beside its grid; the same size for any number of pieces."""
        names = [*(self.pieces[k].name for k in order), *self.left_out]
        marks = [*(self.marks[k] for k in order), *("unreadable" for _ in self.left_out)]
        return {
            "path": redacted(config.place),
            "pieces": len(self.pieces),
            "files": digest_of_pieces(names, marks),
            "bands": config.bands or list(range(1, self.facts[0].bands + 1)),
            "nodata": str(config.nodata),
            "nodata_rule": config.nodata_rule,
            "scale_tags": config.scale_tags,
            "overlap": config.overlap,
            "as": sorted({news for facts in self.facts for news in facts.news}),
        }

    def require_alike(self) -> None:
        """Raise SourceError where pieces differ in bands or dtype, which names two of them."""
        first, of_first = self.pieces[0], self.facts[0]
        for piece, facts in zip(self.pieces, self.facts, strict=True):
            if (facts.bands, facts.dtype) != (of_first.bands, of_first.dtype):
                raise SourceError(
                    f"Pieces of a mosaic have the same bands and dtype, but {piece.name} has {_bands(facts)}, and "
                    f"{first.name} {_bands(of_first)}. Leave one of them out of source.path, or convert it "
                    f"(gdal_translate -b, -ot); source.bands names the bands that all have."
                )

    def lattice_error(self, mismatch: Mismatch) -> LatticeError:
        """The error of pieces whose pixels do not lie on one lattice, which names two and a grid to give."""
        first, grid = self.pieces[0].name, self.grids[0]
        size = float(f"{grid.pixel_size[1]:.9g}")
        remedy = f"{{crs: {grid.code}, resolution: {size:g}}}" if grid.code else "with a crs and a resolution"
        return LatticeError(
            f"The pieces of the mosaic do not lie on one lattice of pixels: {self.pieces[mismatch.piece].name} "
            f"{mismatch.reason.format(first=first)}. Give source.grid: {remedy}, onto which each piece is resampled, "
            f"or leave out those that do not belong.",
            {"crs": grid.code, "resolution": size} if grid.code else None,
        )


def read_group(pieces: Sequence[Piece], config: SourceConfig, timeout: float | None) -> PieceGroup:
    """All pieces with what is known of them; those that cannot be read are refused, or left out.

    Raises
    ------
    SourceError
        A piece cannot be read, or does not fit the others.
    """
    entries = entries_of(pieces, config, timeout)
    faults = [(piece, entry) for piece, entry in zip(pieces, entries, strict=True) if isinstance(entry, SourceError)]
    if faults and (config.unreadable == "refuse" or len(faults) == len(pieces)):
        raise _unreadable_error(len(faults), *faults[0])
    good = [(piece, entry) for piece, entry in zip(pieces, entries, strict=True) if isinstance(entry, Entry)]
    group = PieceGroup(
        pieces=[piece for piece, _ in good],
        facts=[entry.facts for _, entry in good],
        marks=[entry.mark for _, entry in good],
        left_out=[piece.name for piece, _ in faults],
    )
    group.require_alike()
    return group


def _unreadable_error(count: int, piece: Piece, error: SourceError) -> SourceError:
    reason = str(error).replace("source.path is", "its path is", 1)
    more = f" So it is with {count} pieces." if count > 1 else ""
    return SourceError(
        f"{piece.name}, a piece of the mosaic, cannot be read: {reason}{more} Mend it, leave it out of source.path, or "
        f"give source.unreadable: nodata, which leaves out what cannot be read."
    )


def _bands(facts: PieceFacts) -> str:
    return f"{facts.bands} {'band' if facts.bands == 1 else 'bands'} of {facts.dtype}"
