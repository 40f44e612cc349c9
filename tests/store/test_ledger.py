import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.errors import StoreError
from pipeline.geometry.window import Window
from pipeline.store import ledger
from pipeline.store.files import local
from pipeline.store.lifecycle import create, open_layer
from tests.store import specs

WINDOW = Window(row=0, col=64, height=64, width=64)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    create(tmp_path / "a.zarr", specs.spec(levels=2), {"blocks": [2, 3]})
    return tmp_path / "a.zarr"


def test_a_record_holds_the_checksum_of_every_chunk_and_empty_for_those_without_a_file(store: Path) -> None:
    open_layer(store, 0, "mask")[0:32, 64:96] = 0
    ledger.commit_block(store, 0, (0, 1), WINDOW, ("mask",), {"source": "abc"})
    record = ledger.Ledger(store).record((0, 1))
    assert record is not None
    assert record["source"] == "abc"
    assert {key: said == "empty" for key, said in record["chunks"].items()} == {
        "0/mask/c/0/2": False,
        "0/mask/c/0/3": True,
        "0/mask/c/1/2": True,
        "0/mask/c/1/3": True,
    }
    assert ledger.changed_chunks(store, record) == []


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
    assert ledger.changed_chunks(store, record) == [chunk.relative_to(store).as_posix()]
    assert ledger.missing_chunks(store, record) == (["0/mask/c/0/2"] if harm == "gone" else [])


def test_a_failure_is_kept_until_the_block_is_committed(store: Path) -> None:
    book = ledger.Ledger(store)
    book.fail((1, 2), "the disk is away")
    assert (book.failures(), book.committed()) == ({(1, 2): "the disk is away"}, set())
    book.commit((1, 2), {"chunks": {}})
    assert (book.failures(), book.committed()) == ({}, {(1, 2)})


def test_a_failure_that_a_kill_left_beside_a_record_no_longer_counts(store: Path) -> None:
    book = ledger.Ledger(store)
    book.commit((1, 2), {"chunks": {}})
    book.fail((1, 2), "the disk is away")
    assert (book.failures(), book.committed()) == ({}, {(1, 2)})


def test_a_note_of_a_failure_that_cannot_be_read_is_still_a_failure(store: Path) -> None:
    book = ledger.Ledger(store)
    for column, garbage in enumerate((b"", b"[]", b'{"error"', b"{}")):
        book.fail((0, column), "no")
        (store / f"0/mask/ledger/r00000/b{column:05d}.failed").write_bytes(garbage)
    assert set(book.failures()) == {(0, column) for column in range(4)}
    assert all("cannot be read" in why for why in book.failures().values())


@pytest.mark.parametrize("garbage", [b"", b'{"chu', b"[]", b'{"chunks": []}', b'{"chunks": {"a": 1}}', b"{}", None])
def test_a_record_that_cannot_be_read_is_named(store: Path, garbage: bytes | None) -> None:
    book = ledger.Ledger(store)
    path = store / book.place((1, 2))
    path.parent.mkdir(parents=True)
    path.mkdir() if garbage is None else path.write_bytes(garbage)
    with pytest.raises(StoreError, match=r"r00001/b00002.json .* cannot be read"):
        book.record((1, 2))


def test_a_folder_in_the_place_of_a_chunk_is_not_what_was_committed(store: Path) -> None:
    open_layer(store, 0, "mask")[0:32, 64:96] = 0
    ledger.commit_block(store, 0, (0, 1), WINDOW, ("mask",), {})
    for key in ("0/mask/c/0/2", "0/mask/c/1/3"):
        (store / key).unlink(missing_ok=True)
        (store / key).mkdir(parents=True)
    record = ledger.Ledger(store).record((0, 1))
    assert record is not None
    assert ledger.changed_chunks(store, record) == ["0/mask/c/0/2", "0/mask/c/1/3"]


def test_records_are_listed_by_row_and_level_in_order(store: Path) -> None:
    book, above = ledger.Ledger(store), ledger.Ledger(store, 1)
    blocks = [(0, 0), (0, 11), (2, 3), (100_000, 100_001)]
    for k in (3, 1, 0, 2):
        book.commit(blocks[k], {"chunks": {}, "k": k})
    above.commit((7, 7), {"chunks": {}})
    book.fail((0, 5), "no")
    assert list(book.listed()) == blocks
    assert [record["k"] for record in specs.records(store).values()] == [0, 1, 2, 3]
    assert (book.committed(), book.count(), book.committed_in(0), book.committed_in(1)) == (
        set(blocks),
        4,
        {(0, 0), (0, 11)},
        set(),
    )
    assert (above.committed(), above.record((0, 0))) == ({(7, 7)}, None)


def test_rows_tell_committed_and_failed_blocks_apart_and_pass_over_other_names(store: Path) -> None:
    book = ledger.Ledger(store)
    for block in ((0, 2), (0, 10), (3, 1)):
        book.commit(block, {"chunks": {}})
    book.fail((0, 1), "no")
    book.fail((7, 0), "no")
    folder = (store / book.place((0, 0))).parent
    for name in ("b00004.json.bak", "notes.json", "b1x.json", "b00005.json.abc.partial"):
        (folder / name).write_text("{}")
    (folder / "b00006.json").mkdir()
    (folder.parent / "steps.json").write_text("{}")
    assert list(book.rows()) == [
        ledger.RowRecords(row=0, committed=[2, 10], failed=[1]),
        ledger.RowRecords(row=3, committed=[1], failed=[]),
        ledger.RowRecords(row=7, committed=[], failed=[0]),
    ]
    assert (book.count(), book.committed_in(0), book.failures()) == (3, {(0, 2), (0, 10)}, {(0, 1): "no", (7, 0): "no"})


def test_a_record_is_written_after_its_chunks_are_durable(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(local, "_sync", lambda path: synced.append(path.relative_to(store).as_posix()))
    monkeypatch.setattr(ledger.Ledger, "commit", lambda *args: synced.append("the record"))
    open_layer(store, 0, "mask")[0:32, 64:96] = 0
    ledger.commit_block(store, 0, (0, 1), WINDOW, ("mask",), {})
    assert synced == ["0/mask/c/0/2", "0/mask/c/0", "0/mask/c", "0/mask", "0", ".", "the record"]


@pytest.mark.parametrize(
    ("zarr_format", "shard", "keys"),
    [(3, 64, ["0/mask/c/0/1"]), (2, None, [f"0/mask/{r}.{c}" for r in (0, 1) for c in (2, 3)])],
)
def test_what_is_checksummed_is_the_file_whatever_the_format(
    tmp_path: Path, zarr_format: int, shard: int | None, keys: list[str]
) -> None:
    path = tmp_path / "a.zarr"
    create(path, specs.spec(zarr_format=zarr_format, shard=shard), {})
    window = Window(row=0, col=64, height=64, width=64)
    assert not ledger.has_any_chunk(path, 0, "mask", window)
    open_layer(path, 0, "mask")[0:64, 64:128] = 3
    ledger.commit_block(path, 0, (0, 1), window, ("mask",), {})
    record = ledger.Ledger(path).record((0, 1))
    assert record is not None
    assert record["chunks"] == {
        key: hashlib.blake2b((path / key).read_bytes(), digest_size=16).hexdigest() for key in keys
    }
    assert ledger.has_any_chunk(path, 0, "mask", window)


def test_a_window_at_the_far_edge_ends_with_the_raster(store: Path) -> None:
    edge = Window(row=64, col=128, height=36, width=2)
    assert list(ledger.chunk_keys(store, 0, "mask", edge)) == ["0/mask/c/2/4", "0/mask/c/3/4"]


@pytest.mark.parametrize(("zarr_format", "name"), [(3, "0/probabilities/c/{k}/0/3"), (2, "0/probabilities/{k}.0.3")])
def test_a_layer_of_several_classes_has_a_chunk_of_each(tmp_path: Path, zarr_format: int, name: str) -> None:
    path, layers = tmp_path / "a.zarr", ("mask", "probabilities")
    create(path, specs.spec(zarr_format=zarr_format, layers=layers), {})
    open_layer(path, 0, "probabilities")[:, 0:32, 96:128] = np.arange(3)[:, None, None]
    ledger.commit_block(path, 0, (0, 1), WINDOW, layers, {})
    record = ledger.Ledger(path).record((0, 1))
    assert record is not None
    assert len(record["chunks"]) == 4 + 3 * 4
    assert [key for key, said in record["chunks"].items() if said != "empty"] == [name.format(k=k) for k in (1, 2)]
    (path / name.format(k=2)).unlink()
    assert ledger.changed_chunks(path, record) == [name.format(k=2)]


def test_the_ledger_is_invisible_to_zarr_readers(store: Path) -> None:
    ledger.Ledger(store).commit((0, 0), {"chunks": {}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group = zarr.open_group(store, mode="r")
        found = sorted(name for name, _ in group.members(max_depth=None))
    assert found == sorted(f"{k}{part}" for k in (0, 1) for part in ("", "/mask", "/spatial_ref", "/x", "/y"))
    assert (np.asarray(group["0/mask"][:]) == 255).all()
