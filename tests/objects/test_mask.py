from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.objects.components import find_components
from pipeline.objects.mask import store_blocks, work_side
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import open_store
from tests.store import specs


@pytest.mark.parametrize(
    ("block", "chunk", "side"),
    [(4096, 512, 1024), (512, 512, 512), (3584, 512, 512), (3072, 512, 1024), (2048, 2048, 2048), (96, 32, 96)],
)
def test_blocks_of_work_are_whole_chunks_that_fill_a_block(block: int, chunk: int, side: int) -> None:
    assert work_side(block, chunk) == side


def test_only_committed_blocks_of_a_store_are_looked_at(tmp_path: Path) -> None:
    spec = specs.spec()
    path = tmp_path / "a.zarr"
    create(path, spec, {"blocks": [4, 5], "tiles": {"block": 32}, "classes": [asdict(row) for row in spec.classes]})
    open_layer(path, 0, "mask")[:] = specs.pixels(spec)
    level = open_store(path)
    for position in ((0, 1), (1, 2), (3, 4)):
        Ledger(path).commit(position, {"chunks": {}})
    blocks = store_blocks(level)
    components = find_components(blocks, tmp_path / "scratch")
    codes = np.full((level.height, level.width), level.nodata)
    for position in blocks.positions.tolist():
        codes[blocks.window(tuple(position)).slices] = level.read(blocks.window(tuple(position)))
    assert blocks.positions.tolist() == [[0, 1], [1, 2], [3, 4]]
    assert components.table.read()["pixels"].sum() == (codes != level.nodata).sum() > 0
