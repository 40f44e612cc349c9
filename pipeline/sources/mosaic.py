"""``kind: mosaic``: many rasters that lie beside and over each other, read as one."""

from __future__ import annotations

from pipeline.config import SourceConfig
from pipeline.interfaces import Source
from pipeline.sources.mosaics.compose import mosaic_of_pieces
from pipeline.sources.mosaics.listing import listed_pieces


def open_source(config: SourceConfig, timeout: float | None = None) -> Source:
    """Look at all pieces, and lay them on one grid.

    Parameters
    ----------
    config
        Which files, what wins where they overlap, and the grid where they have none in common.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        There is no piece, one cannot be read, or one does not fit the others.
    """
    return mosaic_of_pieces(listed_pieces(config), config, timeout)
