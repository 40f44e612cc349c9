"""Many pieces made one source: looked at, checked, put in order, and laid on one grid."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import SourceConfig
from pipeline.interfaces import Source
from pipeline.sources.mosaics.piece import Piece


def mosaic_of_pieces(pieces: Sequence[Piece], config: SourceConfig, timeout: float | None = None) -> Source:
    """One source of many pieces, on their common lattice, or on ``source.grid`` where they have none.

    Parameters
    ----------
    pieces
        In the order in which they were given: of ``overlap: first`` the first of them wins.
    config
        ``overlap``, ``unreadable``, ``grid``, ``resampling``; its ``path`` names the whole in messages.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        A piece cannot be read, does not fit the others, or has no date where ``overlap`` is ``newest``.
    """
    raise NotImplementedError
