import threading
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.errors import StoreError
from pipeline.raster.grid import Grid
from pipeline.raster.window import Window
from pipeline.store import ledger
from pipeline.store.files import Files
from pipeline.store.layout import create, delete, is_ours, open_layer, read_meta, sweep
from pipeline.store.spec import ClassRow, StoreSpec

SPEC = StoreSpec(
    grid=Grid(height=100, width=130), layers=("mask",), chunk=32, shard=None, nodata=255, dtype="uint8", zarr_format=3,
    classes=(ClassRow(code=0, name="a", color="#112233"),), levels=2,
)  # fmt: skip
WINDOW = Window(row=0, col=64, height=64, width=64)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    create(tmp_path / "a.zarr", SPEC, {"blocks": [2, 3]})
    return tmp_path / "a.zarr"


def test_a_record_holds_the_checksum_of_every_chunk_and_empty_for_those_without_a_file(store: Path) -> None:
    open_layer(store, 0, "mask")[0:32, 64:96] = 0
    ledger.commit_block(store, 0, (0, 1), WINDOW, ("mask",), {"source": "abc"})
    record = ledger.Ledger(store).record((0, 1))
    assert record is not None
    assert record["source"] == "abc"
    assert {key: said == "empty" for key, said in record["chunks"].items()} == {
        "0/mask/c/0/2": False, "0/mask/c/0/3": True, "0/mask/c/1/2": True, "0/mask/c/1/3": True,
    }  # fmt: skip
    assert ledger.check(store, record) == []


@pytest.mark.parametrize("harm", ["changed", "gone", "appeared"])
def test_a_chunk_that_is_not_what_was_committed_is_found(store: Path, harm: str) -> None:
    open_layer(store, 0, "mask")[0:32, 64:96] = 0
    ledger.commit_block(store, 0, (0, 1), WINDOW, ("mask",), {})
    chunk = store / "0/mask/c/0/2"
    if harm == "changed":
        chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    elif harm == "gone":
        chunk.unlink()
    else:
        chunk = store / "0/mask/c/1/3"
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(b"stale")
    record = ledger.Ledger(store).record((0, 1))
    assert record is not None
    assert ledger.check(store, record) == [chunk.relative_to(store).as_posix()]


def test_a_failure_is_kept_until_the_block_is_committed(store: Path) -> None:
    book = ledger.Ledger(store)
    book.fail((1, 2), "the disk is away")
    assert (book.failures(), book.committed()) == ({(1, 2): "the disk is away"}, set())
    book.commit((1, 2), {"chunks": {}})
    assert (book.failures(), book.committed()) == ({}, {(1, 2)})


def test_the_ledger_is_invisible_to_zarr_readers(store: Path) -> None:
    ledger.Ledger(store).commit((0, 0), {"chunks": {}})
    group = zarr.open_group(store, mode="r")
    assert sorted(name for name, _ in group.members(max_depth=None)) == sorted(
        f"{k}{part}" for k in (0, 1) for part in ("", "/mask", "/spatial_ref", "/x", "/y")
    )


def test_of_many_runs_that_start_together_one_makes_the_store(tmp_path: Path) -> None:
    path, made = tmp_path / "b.zarr", []
    threads = [threading.Thread(target=lambda k=k: made.append((create(path, SPEC, {"who": k}), k))) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [k for won, k in made if won]
    assert len(winners) == 1
    assert read_meta(path)["who"] == winners[0]
    assert [p.name for p in tmp_path.iterdir()] == ["b.zarr"]


def test_unwritten_is_nodata_and_debris_is_swept(store: Path) -> None:
    assert (np.asarray(open_layer(store, 0, "mask")[:]) == 255).all()
    debris = store / "0/mask/c/0.abc.partial"
    debris.parent.mkdir(parents=True, exist_ok=True)
    debris.write_bytes(b"half")
    sweep(store)
    assert not debris.exists()


def test_only_stores_of_ours_are_deleted(tmp_path: Path, store: Path) -> None:
    other = tmp_path / "other.zarr"
    zarr.create_group(other)
    assert not is_ours(other)
    with pytest.raises(StoreError, match="not a store of ours"):
        delete(other)
    assert other.exists()
    delete(store)
    assert not store.exists()


def test_files_are_replaced_whole_and_unfinished_ones_are_not_listed(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put("a/b.json", b"1")
    files.put("a/b.json", b"2")
    (tmp_path / "a" / "c.partial").write_bytes(b"x")
    assert (files.get("a/b.json"), files.get("a/none"), list(files.list("a"))) == (b"2", None, ["a/b.json"])
