from pathlib import Path

import pytest

from pipeline.geometry.window import Window
from pipeline.store.ledger import Ledger, commit_block, drop_records_of_missing_chunks
from pipeline.store.lifecycle import create, open_layer
from tests.store import specs


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three blocks of four chunks, of which the last holds nothing."""
    path = tmp_path / "a.zarr"
    create(path, specs.spec(levels=2), {"blocks": [1, 3]})
    open_layer(path, 0, "mask")[0:64, 0:128] = 0
    for col in range(3):
        commit_block(
            path, 0, (0, col), Window(row=0, col=64 * col, height=64, width=min(64, 130 - 64 * col)), ("mask",), {}
        )
    return path


def test_nothing_is_lost_where_every_chunk_is_there_or_never_was(store: Path) -> None:
    assert drop_records_of_missing_chunks(store, 0) == 0
    assert Ledger(store).count() == 3


def test_a_block_whose_chunk_is_gone_is_forgotten_and_no_other(store: Path) -> None:
    (store / "0/mask/c/1/2").unlink()
    assert drop_records_of_missing_chunks(store, 0) == 1
    assert Ledger(store).committed() == {(0, 0), (0, 2)}
    assert drop_records_of_missing_chunks(store, 0) == 0


@pytest.mark.parametrize("said", [b"", b'{"chunks": {"0/', b"[]"])
def test_a_record_that_cannot_be_read_is_forgotten(store: Path, said: bytes) -> None:
    (store / Ledger(store).place((0, 2))).write_bytes(said)
    assert drop_records_of_missing_chunks(store, 0) == 1
    assert Ledger(store).committed() == {(0, 0), (0, 1)}
    assert drop_records_of_missing_chunks(store, 1) == 0
