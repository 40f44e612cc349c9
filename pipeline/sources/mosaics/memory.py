"""What a mosaic holds beyond one piece, by which the plan prices it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.runtime import resources
from pipeline.sources.band_files.bands_source import LARGE_TILE
from pipeline.sources.gdal.vrt_files import MAX_OPEN_FILES, POOL_BYTES
from pipeline.sources.mosaics.piece import PieceFacts

MIN_OPEN_PIECES = 8
"""Pieces that stay open for each thread at least: a window touches up to four, and others below them."""


def capacity_of(facts: Sequence[PieceFacts]) -> tuple[int, int]:
    """Handles of pieces that stay open at most, and the bytes that all open ones hold."""
    largest = max(of_piece.open_bytes for of_piece in facts)
    reading = resources.cores()
    handles = min(max(POOL_BYTES // largest, MIN_OPEN_PIECES + reading), MAX_OPEN_FILES)
    return handles, (min(handles, len(facts) * reading) + reading) * largest


def bytes_of_part(facts: Sequence[PieceFacts]) -> int:
    """Bytes of what is read of one piece before it is composed with the others, in a large tile."""
    return max(
        min(of_piece.grid.height * of_piece.grid.width, LARGE_TILE**2) * _bytes_per_pixel(of_piece)
        + of_piece.working_bytes
        for of_piece in facts
    )


def _bytes_per_pixel(facts: PieceFacts) -> int:
    """Of all bands, whether a pixel is valid, and why not."""
    return facts.bands * np.dtype(facts.dtype).itemsize + 2
