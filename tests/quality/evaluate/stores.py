"""Small stores with a mask at hand, and labels of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.store import overviews
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.spec import ClassRow
from tests.quality.labels.places import cut
from tests.store import specs

CLASSES = (
    ClassRow(code=0, name="ground", color="#556677", role="background"),
    ClassRow(code=3, name="water", color="#112233"),
    ClassRow(code=7, name="wood", color="#445566"),
    ClassRow(code=9, name="cloud", color="#ffffff", role="ignore"),
)
BLOCK = 64


@dataclass(frozen=True)
class Known:
    """Labels from an array."""

    grid: Grid
    codes: np.ndarray

    def read(self, window: Window) -> Any:
        return cut(self.codes, window, IGNORE).astype(np.uint16)


def blobs(height: int, width: int, codes: list[int], seed: int, scale: int = 9) -> np.ndarray:
    """Smooth patches of every code."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((len(codes), height // scale + 2, width // scale + 2))
    fine = np.kron(coarse, np.ones((scale, scale)))[:, :height, :width]
    moved = sum(np.roll(fine, shift, (1, 2)) for shift in ((0, 0), (3, 1), (-2, 4), (5, -3)))
    return np.array(codes)[np.argmax(moved, 0)]


def store(
    path: Path, mask: np.ndarray, classes: tuple[ClassRow, ...] = CLASSES, committed: int | None = None, level: int = 0
) -> StoreLevel:
    """A store of a mask with blocks of 64 px, the first so many of them committed."""
    height, width = mask.shape
    of = specs.spec(
        Grid(height=height, width=width, transform=specs.NORTH_UP, wkt=specs.UTM, code="EPSG:32633", unit="crs"),
        classes=classes,
    )
    rows, cols = -(-height // BLOCK), -(-width // BLOCK)
    create(path, of, {"blocks": [rows, cols], "tiles": {"block": BLOCK}, "classes": [asdict(row) for row in classes]})
    open_layer(path, 0, "mask")[:] = mask
    for block in [(row, col) for row in range(rows) for col in range(cols)][:committed]:
        Ledger(path).commit(block, {"chunks": {}})
    if level:
        overviews.build_overviews(path, of)
    return open_store(path, level)
