"""Many pieces made one source: looked at, checked, put in order, and laid on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.interfaces import Source
from pipeline.sources.mosaics.group import PieceGroup, read_group
from pipeline.sources.mosaics.lattice import lattice_of, mismatch_of
from pipeline.sources.mosaics.memory import bytes_of_part, capacity_of
from pipeline.sources.mosaics.mosaic_source import MosaicOnGrid, MosaicSource
from pipeline.sources.mosaics.named_grid import grid_of_pieces, on_named_grid
from pipeline.sources.mosaics.notes import mosaic_notes
from pipeline.sources.mosaics.order import in_order
from pipeline.sources.mosaics.piece import Piece
from pipeline.sources.regrid.ground import ground_note

MAX_SAMPLES = 6
"""Pieces that are opened to see what warping them takes."""


def mosaic_of_pieces(pieces: Sequence[Piece], config: SourceConfig, timeout: float | None = None) -> Source:
    """One source of many pieces, on their common lattice, or on ``source.grid`` where they have none.

    Parameters
    ----------
    pieces
        In the order in which they were given: of ``overlap: first`` the first of them wins. Names differ.
    config
        ``overlap``, ``unreadable``, ``grid``, ``resampling``; its ``path`` names the whole in messages.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        A piece cannot be read, does not fit the others, or has no date where ``overlap`` is ``newest``.
    """
    group = read_group(pieces, config, timeout)
    order = in_order(group.pieces, group.facts, config.overlap)
    mismatch = mismatch_of(group.grids)
    if mismatch is not None:
        if config.grid is None:
            raise group.lattice_error(mismatch)
        return _on_named_grid(group, order, config, timeout)
    grid, windows = lattice_of(group.grids)
    return MosaicSource(
        grid=grid,
        owners=np.arange(len(order)),
        places=windows[order],
        block=group.facts[0].block,
        notes=mosaic_notes(group, config.overlap),
        working_bytes=bytes_of_part(group.facts),
        **_common_fields(group, order, config, timeout),
    )


def _common_fields(
    group: PieceGroup, order: Sequence[int], config: SourceConfig, timeout: float | None
) -> dict[str, Any]:
    """What a source of the pieces has on whatever grid."""
    handles, open_files = capacity_of(group.facts)
    return {
        "pieces": tuple(group.pieces[k].without_facts() for k in order),
        "bands": group.facts[0].bands,
        "dtype": np.dtype(group.facts[0].dtype),
        "rgb": group.facts[0].rgb,
        "handles": handles,
        "open_files": open_files,
        "facts": group.identity(order, config),
        "unreadable_as_nodata": config.unreadable == "nodata",
        "timeout": timeout,
    }


def _on_named_grid(group: PieceGroup, order: Sequence[int], config: SourceConfig, timeout: float | None) -> Source:
    """Each piece on the grid that the config names, by itself."""
    assert config.grid is not None
    first = group.pieces[0].open(timeout)
    grid, outlines = grid_of_pieces(config.grid, first, group)
    rank = np.argsort(order)
    by_piece, windows = outlines.windows_on(grid)
    by_rank = np.argsort(rank[by_piece], kind="stable")
    owners, places = rank[by_piece][by_rank], windows[by_rank]
    samples = _samples(group, by_piece)
    warped = [on_named_grid(group.pieces[by_piece[k]].open(timeout), grid, config.resampling) for k in samples]
    warping = max(piece.bytes_to_warp(_window(windows[k])) for piece, k in zip(warped, samples, strict=True))
    note = ground_note(first.grid, warped[0].placement, grid, config.resampling)
    return MosaicOnGrid(
        grid=grid,
        owners=owners,
        places=places,
        block=warped[0].block,
        notes=(*mosaic_notes(group, config.overlap), f"each piece alone: {note}"),
        working_bytes=warping + bytes_of_part(group.facts),
        resampling=config.resampling,
        **_common_fields(group, order, config, timeout),
    )


def _samples(group: PieceGroup, owners: Any) -> list[int]:
    """Places of pieces that stand for all: one of each CRS and pixel size, the largest of each."""
    largest: dict[Any, int] = {}
    for k, owner in enumerate(owners.tolist()):
        grid = group.facts[owner].grid
        kind = grid.wkt, *(f"{size:.3g}" for size in grid.pixel_size)
        if kind not in largest or grid.height * grid.width > _pixels(group, owners[largest[kind]]):
            largest[kind] = k
    return list(largest.values())[:MAX_SAMPLES]


def _pixels(group: PieceGroup, piece: int) -> int:
    grid = group.facts[piece].grid
    return grid.height * grid.width


def _window(place: Any) -> Window:
    row, col, height, width = place.tolist()
    return Window(row=row, col=col, height=height, width=width)
