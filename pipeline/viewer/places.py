"""Places worth a look, and lines that are drawn over a scene: what a certificate found, blocks and seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window
from pipeline.planning.types import TilePlan
from pipeline.quality.verify.seam_places import worst_seams
from pipeline.quality.verify.seam_windows import seam_lines
from pipeline.store.ledger import Ledger
from pipeline.store.spec import overview_block
from pipeline.viewer.scene import StoreScene

MAX_PLACES = 20
"""Places that a page lists."""
MAX_BLOCKS = 400
"""Blocks whose seams are drawn at once."""


def worst_places(scene: StoreScene) -> list[dict[str, Any]]:
    """Windows of the full resolution with ``why``: blocks that failed, then what the certificate names."""
    certificate = scene.meta.get("certificate") or {}
    failures = () if scene.is_complete else sorted(Ledger(scene.path).failures().items())
    failed = (_block_place(scene, 0, block, f"not committed: {reason}") for block, reason in failures)
    return list(islice((*failed, *_certified(scene, certificate)), MAX_PLACES))


def _certified(scene: StoreScene, certificate: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for fault in certificate.get("faults", ()):
        if fault.get("block"):
            yield _block_place(scene, fault["level"], fault["block"], fault["why"])
    for window, error in worst_seams(scene.path) if certificate else ():
        unit, std = certificate.get("unit", "logits"), certificate.get("std") or 1.0
        yield _place(window, f"a seam that differs from its reference by up to {error / std:.1e} {unit}")


def _block_place(scene: StoreScene, level: int, block: Any, reason: str) -> dict[str, Any]:
    tiles = scene.meta["tiles"]
    side = scene.level.block if level == 0 else overview_block(tiles["shard"] or tiles["chunk"]) << level
    row, col = block
    window = Window(row=row * side, col=col * side, height=side, width=side)
    return _place(window.clip(scene.grid.height, scene.grid.width), reason)


def _place(window: Window, reason: str) -> dict[str, Any]:
    return {"row": window.row, "col": window.col, "height": window.height, "width": window.width, "why": reason}


def seams(scene: StoreScene, window: Window) -> dict[str, Any]:
    """Lines along which tiles meet in the blocks of a window: lists of [row or col, from, to].

    Of too many blocks ``why`` none are drawn.
    """
    layout = TilePlan.of(scene.meta["tiles"]).layout()
    inside, side = window.clip(scene.grid.height, scene.grid.width), layout.block
    blocks = [
        BlockIndex(row, col)
        for row in range(inside.row // side, -(-inside.rows.stop // side))
        for col in range(inside.col // side, -(-inside.cols.stop // side))
    ]
    if len(blocks) > MAX_BLOCKS:
        return {"rows": [], "cols": [], "why": "Too many seams: zoom in to see them."}
    rows, cols = set[tuple[int, int, int]](), set[tuple[int, int, int]]()
    for index in blocks:
        block = layout.window(index)
        meeting = seam_lines(layout, index, block)
        rows |= {(row, block.cols.start, block.cols.stop) for row in meeting.rows}
        cols |= {(col, block.rows.start, block.rows.stop) for col in meeting.cols}
    return {"rows": sorted(rows), "cols": sorted(cols)}
