from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.geometry.shards import Shard
from pipeline.store import overviews as pyramid
from pipeline.store.files.local import Disk
from pipeline.store.lease.lease import acquire
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create
from pipeline.store.status import Status, overviews, status
from tests.store import leases, specs


def test_progress_is_what_the_ledger_says(tmp_path: Path) -> None:
    path, of = tmp_path / "a.zarr", specs.spec()
    create(path, of, {"blocks": [2, 3]})
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert status(path) == Status(
        blocks=6, committed=0, failures={}, complete=False, overviews={"done": 0, "total": 3}, size=size
    )
    Ledger(path).commit((0, 1), {"chunks": {}})
    Ledger(path).fail((1, 2), "the disk is away")
    Ledger(path, 1).commit((0, 0), {"chunks": {}})
    found = status(path)
    assert (found.committed, found.failures, found.complete, found.share) == (
        1,
        {"1,2": "the disk is away"},
        False,
        1 / 6,
    )
    assert (found.overviews, found.resume) == ({"done": 1, "total": 3}, True)
    specs.finish(path, of, {"blocks": [2, 3]})
    assert status(path).complete


def test_a_store_that_is_marked_complete_is_to_be_resumed_where_anything_is_missing(tmp_path: Path) -> None:
    path, of = tmp_path / "a.zarr", specs.spec()
    create(path, of, {"blocks": [1, 1]})
    Ledger(path).commit((0, 0), {"chunks": {}})
    pyramid.build_overviews(path, of)
    assert status(path).resume
    specs.finish(path, of, {"blocks": [1, 1]})
    assert not status(path).resume
    Ledger(path, 1).drop((0, 0))
    assert status(path).resume
    pyramid.build_overviews(path, of)
    assert not status(path).resume
    Ledger(path).drop((0, 0))
    assert (status(path).resume, status(path).complete) == (True, True)
    printed = CliRunner().invoke(app, ["status", str(path)]).output
    assert "unfinished: it was complete, and parts of it are gone" in " ".join(printed.split())


def test_the_share_is_that_of_pixels_and_an_odd_block_counts_less(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    create(
        path,
        specs.spec(),
        {"blocks": [2, 2], "tiles": {"height": 100, "width": 130, "block": 96}, "versions": {"wholecloth": "0.1"}},
    )
    Ledger(path).commit((0, 0), {"chunks": {}})
    Ledger(path).commit((1, 1), {"chunks": {}})
    assert status(path).share == (96 * 96 + 4 * 34) / (100 * 130)
    assert status(path).versions == {"wholecloth": "0.1"}


def test_a_status_goes_through_the_names_of_records_once_and_opens_only_notes_of_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    create(path, specs.spec(), {"blocks": [2, 2], "tiles": {"height": 100, "width": 130, "block": 96}})
    book, opened, walked = Ledger(path), list[str](), list[str]()
    for block in ((0, 0), (0, 1), (1, 1)):
        book.commit(block, {"chunks": {}})
    book.fail((1, 0), "the disk is away")
    get, folders = Disk.get, Disk.folders
    monkeypatch.setattr(Disk, "get", lambda disk, key, *more: opened.append(key) or get(disk, key, *more))
    monkeypatch.setattr(Disk, "folders", lambda disk, prefix: walked.append(prefix) or folders(disk, prefix))
    assert (status(path).committed, status(path).failures) == (3, {"1,0": "the disk is away"})
    assert {key for key in opened if "ledger" in key} == {"0/mask/ledger/r00001/b00000.failed"}
    assert walked[: len(walked) // 2].count("0/mask/ledger") == 1


def test_a_size_is_added_up_only_where_that_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = specs.store(tmp_path / "a.zarr", specs.spec())
    assert status(path).size == sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) > 1000
    monkeypatch.setattr("pipeline.store.status.MAX_FILES_TO_SUM", 5)
    assert status(path).size is None


def test_arrays_of_overviews_that_are_damaged_do_not_keep_the_rest_from_being_told(tmp_path: Path) -> None:
    path = specs.store(tmp_path / "a.zarr", specs.spec())
    (path / "1" / "mask" / "zarr.json").write_text("{")
    found = status(path)
    assert (found.overviews, found.resume, found.blocks) == (None, True, 1)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_overviews_are_counted_in_their_own_blocks(tmp_path: Path, zarr_format: int) -> None:
    path, of = tmp_path / "a.zarr", specs.spec(Grid(height=2100, width=4200), chunk=512, zarr_format=zarr_format)
    specs.store(path, of)
    assert overviews(path) == (0, 2 * 3 + 1 * 2 + 1 + 1)
    pyramid.build_overviews(path, of)
    assert overviews(path) == (10, 10)


def test_a_root_that_lost_its_count_of_blocks_is_damaged(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", specs.spec(), {"version": "1"})
    with pytest.raises(StoreError, match=r"is damaged: .* does not say blocks"):
        status(tmp_path / "a.zarr")


def test_what_is_no_store_of_ours_has_no_progress(tmp_path: Path) -> None:
    for ask in (status, overviews):
        with pytest.raises(StoreError, match="not a store of ours"):
            ask(tmp_path)


def test_who_is_at_work_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    create(path, specs.spec(), {"blocks": [2, 3], "id": "one"})
    leases.elsewhere(path, Shard(index=2, count=3))
    with acquire(path, Shard(index=1, count=3), "a run of shard 1/3", print):
        assert [(one["shard"], one["host"] == "node7", one["alive"]) for one in status(path).leases] == [
            ("1/3", False, True),
            ("2/3", True, None),
        ]
        said = CliRunner().invoke(app, ["status", str(path)]).stdout
    assert "in use     a run of shard 1/3, process" in said
    assert ", alive\n" in said
    assert "a run, process 7 on node7 since 2099-01-01 00:00:00 UTC\n" in said
