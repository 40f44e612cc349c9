"""A job in shards, by the public command where that matters.

The bytes of one run, whoever dies and whoever comes first.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BlocksFailed, ReadError, Unfinished
from pipeline.geometry import read_sharing
from pipeline.geometry.shards import Shard
from pipeline.inference import block_task
from pipeline.sources.raster import RasterSource
from pipeline.store.lease.claim_files import Claims
from pipeline.store.ledger import Ledger
from pipeline.store.status import status
from tests import runs, scenes


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, a network, and the store of one undisturbed run."""
    folder = tmp_path_factory.mktemp("calm")
    runs.go(scenes.config(folder, "calm", **runs.CONFIG))
    return folder


def config(folder: Path, calm: Path, **sections: Any) -> Path:
    for name in ("scene.tif", "unet.pt"):
        shutil.copy2(calm / name, folder / name)
    return scenes.config(folder, **{**runs.CONFIG, **sections})


@pytest.mark.slow
def test_shards_that_start_together_make_one_store_and_finish_makes_it_that_of_one_run(
    tmp_path: Path, calm: Path
) -> None:
    path = config(tmp_path, calm)
    at_work = [runs.start("run", path, "--shard", shard) for shard in runs.shards(3)]
    for shard, (code, out, err) in zip(runs.shards(3), map(runs.wait, at_work), strict=True):
        assert code == 0, err
        assert f"shard {shard}: " in out
        assert "wholecloth finish" in out
        assert json.loads((tmp_path / f"job.{shard.name}.report.json").read_text())["done"] == 4
    assert not status(tmp_path / "job.zarr").complete
    assert not [name for name in ("job.png", "job.vrt", "job.report.json") if (tmp_path / name).exists()]
    code, out, err = runs.wait(runs.start("finish", tmp_path / "job.zarr"))
    assert code == 0, err
    assert str(tmp_path / "job.png") in out
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(calm / "calm.zarr")
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_of_two_clients_that_start_together_one_runs_and_the_other_says_who_does_it(tmp_path: Path, calm: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 1000, 1000)
    shutil.copy2(calm / "unet.pt", tmp_path / "unet.pt")
    path = scenes.config(tmp_path, tile={"size": 80})
    first, second = sorted(
        (runs.wait(process) for process in [runs.start("run", path) for _ in range(2)]), key=lambda said: said[0]
    )
    assert (first[0], second[0]) == (0, 75), (first, second)
    last = second[2].strip().splitlines()[-1]
    assert "job.zarr is in use: a run (process " in last
    assert "status" in last
    runs.go(scenes.config(tmp_path, "alone", tile={"size": 80}))
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(tmp_path / "alone.zarr")


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_a_shard_that_is_killed_is_run_again_at_once_and_the_bytes_are_the_same(tmp_path: Path, calm: Path) -> None:
    path = config(tmp_path, calm, tile={"size": 80})
    runs.go(scenes.config(tmp_path, "slow", **{**runs.CONFIG, "tile": {"size": 80}}))
    killed = runs.start("run", path, "--shard", "1/2")
    killed.wait_for(lambda: any((tmp_path / "job.zarr").glob("0/mask/ledger/*/*.json")))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = Ledger(tmp_path / "job.zarr").count()
    assert 0 < before <= 6
    code, out, err = runs.wait(runs.start("run", path, "--shard", "1/2"))
    assert code == 0, err
    assert "waiting" not in err
    assert "6 blocks (" in out
    assert runs.wait(runs.start("run", path, "--shard", "2/2"))[0] == 0
    assert runs.wait(runs.start("finish", tmp_path / "job.zarr"))[0] == 0
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(tmp_path / "slow.zarr")


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("count", [1, 5, 20])
def test_any_number_of_shards_in_any_order_gives_the_same_bytes_and_a_plain_run_ends_it(
    tmp_path: Path, calm: Path, count: int
) -> None:
    path = config(tmp_path, calm)
    reports = [runs.go(path, shard=shard) for shard in reversed(runs.shards(count))]
    assert sum(report.blocks for report in reports) == sum(report.done for report in reports) == 12
    assert [report.left for report in reports] == [
        12 - sum(report.done for report in reports[: k + 1]) for k in range(count)
    ]
    assert all(report.complete for report in reports)
    last = runs.go(path)
    assert (last.resumed, last.done, last.complete) == (12, 0, True)
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(calm / "calm.zarr")
    names = sorted(file.name for file in tmp_path.glob("*.report.json"))
    assert names == ["job.report.json", *(f"job.{shard.name}.report.json" for shard in runs.shards(count))]


@pytest.mark.slow
def test_a_shard_commits_its_own_blocks_and_no_other(tmp_path: Path, calm: Path) -> None:
    path, store = config(tmp_path, calm), tmp_path / "job.zarr"
    runs.go(path, shard=Shard(index=2, count=2))
    there = Ledger(store).committed()
    assert there == {(1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)}
    assert (store / "1" / "mask" / "zarr.json").exists()
    assert not [file for file in (store / "1" / "mask").rglob("c/*/*") if file.is_file()]  # overviews are not yet due
    runs.go(path, shard=Shard(index=1, count=2))
    assert Ledger(store).committed() - there == {(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)}


@pytest.mark.slow
def test_shards_of_machines_with_unlike_memory_mean_the_same_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.scene(tmp_path / "scene.tif", 380, 760)
    path = scenes.config(tmp_path)
    first = runs.go(path, shard=Shard(index=1, count=3))
    monkeypatch.setattr(read_sharing, "AIM", 1.6)
    second = runs.go(path, shard=Shard(index=2, count=3))
    assert first.plan["reading"]["swaths"] < second.plan["reading"]["swaths"]
    assert (first.done, second.done, second.left) == (6, 6, 6)
    assert Ledger(tmp_path / "job.zarr").committed() == {(row, col) for row in range(2) for col in range(6)}


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_within_an_area_shards_share_its_blocks(tmp_path: Path, calm: Path) -> None:
    area = {
        "type": "Polygon",
        "coordinates": [[[20, 20], [400, 30], [390, 90], [150, 110], [140, 280], [30, 290], [20, 20]]],
    }
    (tmp_path / "area.geojson").write_text(json.dumps(area))
    shutil.copy2(calm / "unet.pt", tmp_path / "unet.pt")
    data = scenes.read(calm / "scene.tif").astype("uint16")
    scenes.write(tmp_path / "scene.tif", data, nodata=0, crs=None, transform=None)
    said = {**runs.CONFIG, "source": {"aoi": str(tmp_path / "area.geojson")}}
    whole = runs.go(scenes.config(tmp_path, "calm", **said))
    reports = [runs.go(scenes.config(tmp_path, **said), shard=shard) for shard in runs.shards(3)]
    assert 3 < whole.blocks < 12
    assert sum(report.done for report in reports) == whole.blocks
    assert max(report.done for report in reports) - min(report.done for report in reports) <= 1
    assert runs.wait(runs.start("finish", tmp_path / "job.zarr"))[0] == 0
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(tmp_path / "calm.zarr")


@pytest.mark.slow
def test_a_shard_with_windows_that_cannot_be_read_fails_alone_and_is_tried_again(
    tmp_path: Path, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = config(tmp_path, calm, execution={"retries": 0}), RasterSource.read

    def faulty(self: RasterSource, window: Any) -> Any:
        if window.rows.start <= 290 < window.rows.stop and window.cols.start <= 410 < window.cols.stop:
            raise ReadError(f"the disk is away at {window}")
        return real(self, window)

    monkeypatch.setattr(RasterSource, "read", faulty)
    assert runs.go(path, shard=Shard(index=1, count=3)).complete
    with pytest.raises(BlocksFailed, match="block 2,3"):
        runs.go(path, shard=Shard(index=3, count=3))
    said = json.loads((tmp_path / "job.shard-003-of-003.report.json").read_text())
    assert (said["complete"], said["shard"], len(said["failures"]) > 0) == (False, "3/3", True)
    assert runs.go(path, shard=Shard(index=2, count=3)).complete
    monkeypatch.setattr(RasterSource, "read", real)
    again = runs.go(path, shard=Shard(index=3, count=3))
    assert (again.done, again.left) == (len(said["failures"]), 0)
    runs.go(path)
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(calm / "calm.zarr")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_shard_of_a_store_that_is_complete_leaves_it_complete(tmp_path: Path, calm: Path) -> None:
    path = config(tmp_path, calm)
    runs.go(path)
    before = runs.everything(tmp_path / "job.zarr")
    report = runs.go(path, shard=Shard(index=2, count=4))
    assert (report.blocks, report.resumed, report.done, report.left) == (3, 3, 0, 0)
    assert runs.everything(tmp_path / "job.zarr") == before


@pytest.mark.slow
def test_the_command_refuses_what_is_no_shard_and_takes_the_arrays_word(tmp_path: Path, calm: Path) -> None:
    path = config(tmp_path, calm)
    for args, words in (
        (("--shard", "4/3"), "--shard is 4/3"),
        (("--shard", "1/3", "--fresh"), "--fresh"),
        (("--shard", "auto"), "JOB_COMPLETION_INDEX"),
    ):
        code, _, err = runs.wait(runs.start("run", path, *args))
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "job.zarr").exists()
    code, out, err = runs.wait(
        runs.start("run", path, "--shard", "auto", JOB_COMPLETION_INDEX="2", WHOLECLOTH_SHARDS="4")
    )
    assert code == 0, err
    assert "shard 3/4: 9 of 12 blocks of the store are left" in out


@pytest.mark.slow
def test_sigterm_gives_the_lease_back_and_the_next_run_goes_on_at_once(tmp_path: Path, calm: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 1000, 1000)
    shutil.copy2(calm / "unet.pt", tmp_path / "unet.pt")
    path = scenes.config(tmp_path, tile={"size": 80}, execution={"engine": "threads", "workers": 2})
    first = runs.start("run", path)
    first.wait_for(lambda: any((tmp_path / "job.zarr").glob("0/mask/ledger/*/*.json")))
    assert [one["alive"] for one in status(tmp_path / "job.zarr").leases] == [True]
    first.send_signal(signal.SIGTERM)
    code, _, err = runs.wait(first)
    assert code == 75, err
    assert status(tmp_path / "job.zarr").leases == []


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_a_run_that_loses_its_store_in_its_midst_ends_unfinished_and_writes_nothing_more(
    tmp_path: Path, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, calls = config(tmp_path, calm), block_task.write_block, list[int]()
    store = tmp_path / "job.zarr"

    def robbed(*args: Any) -> None:
        calls.append(1)
        real(*args)
        if len(calls) == 3:
            found = Claims.on(store, 1)
            for claim in found.conflicting(None):
                found.drop(claim)
            monkeypatch.setattr("pipeline.store.lease.lease.boot_clock", lambda: 1e12)  # the last heartbeat is old

    monkeypatch.setattr(block_task, "write_block", robbed)
    with pytest.raises(Unfinished, match="was taken over"):
        runs.go(path)
    assert Ledger(store).count() == 3
    assert runs.go(path).done == 9
    assert runs.arrays(store) == runs.arrays(calm / "calm.zarr")


@pytest.mark.slow
def test_status_says_to_finish_what_shards_have_made(tmp_path: Path, calm: Path) -> None:
    path, store = config(tmp_path, calm), tmp_path / "job.zarr"
    for shard, words in ((1, "those of its shards"), (2, f"wholecloth finish {store}")):
        runs.go(path, shard=Shard(index=shard, count=2))
        assert words in runs.wait(runs.start("status", store))[1]


@pytest.mark.slow
def test_where_nothing_is_nothing_is_said_to_be_there(tmp_path: Path) -> None:
    for command in ("status", "finish", "verify"):
        code, _, err = runs.wait(runs.start(command, tmp_path / "nowhere.zarr"))
        assert (code, "nothing is there" in err) == (2, True), err
