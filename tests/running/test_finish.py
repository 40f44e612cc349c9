"""Finishing a store by its own word: what a plain run would have made of it, from anywhere it was stopped."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import CertificateError, InputError, StoreError, Unfinished
from pipeline.exports import quicklook, sidecars, vrt
from pipeline.geometry.shards import Shard
from pipeline.running import finish as module
from pipeline.running.finish import complete_store
from pipeline.store import overviews
from pipeline.store.lease.lease import acquire
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer, read_store_meta, write_certificate
from pipeline.store.status import status
from tests import runs, scenes
from tests.commands import run
from tests.store import leases

EVERY = ["mask", "confidence", "probabilities", "entropy"]


def anything(line: str) -> None:
    """Whatever is said."""


def in_shards(folder: Path, name: str = "job", count: int = 2, **sections: Any) -> Path:
    """A store whose blocks are all there, and nothing else."""
    for shard in runs.shards(count):
        runs.go(scenes.config(folder, name, **sections), shard=shard)
    return folder / f"{name}.zarr"


def but_for_its_making(store: Path) -> dict[str, bytes]:
    """Everything, but for the id of the store and the size of the process that wrote its root."""
    told = re.compile(rb'"(libraries": ?\d+|id": ?"' + read_store_meta(store)["id"].encode() + rb'")')
    return {key: told.sub(b"", data) for key, data in runs.everything(store).items()}


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    "output",
    [
        {"layers": ["mask", "confidence"]},
        {"layers": EVERY, "zarr_format": 2},
        {"shard": 128, "pyramid": False},
        {"layers": EVERY, "min_confidence": 0.5},
    ],
)
def test_a_finished_store_is_that_of_a_plain_run_to_the_last_file(tmp_path: Path, output: dict[str, Any]) -> None:
    store = in_shards(tmp_path, output={"path": str(tmp_path / "job.zarr"), **output})
    assert not status(store).complete
    report = complete_store(store, anything)
    made = but_for_its_making(store)
    assert (report.complete, report.blocks, status(store).complete) == (True, 12, True)
    assert {Path(file).name for file in report.files.values()} == {"job.zarr", "job.report.json", "job.vrt", "job.png"}
    assert json.loads((tmp_path / "job.report.json").read_text())["complete"] is True
    shutil.rmtree(store)
    runs.go(scenes.config(tmp_path, output={"path": str(tmp_path / "job.zarr"), **output}))
    assert but_for_its_making(store) == made


@pytest.mark.slow
def test_finishing_again_changes_nothing_and_a_run_finds_nothing_to_do(tmp_path: Path) -> None:
    store = in_shards(tmp_path)
    complete_store(store, anything)
    before = runs.everything(store)
    complete_store(store, anything)
    assert runs.everything(store) == before
    before = but_for_its_making(store)
    assert runs.go(scenes.config(tmp_path)).done == 0
    assert but_for_its_making(store) == before


@pytest.mark.slow
def test_missing_blocks_are_counted_and_the_shards_named_that_have_not_reported(tmp_path: Path) -> None:
    path, store = scenes.config(tmp_path), tmp_path / "job.zarr"
    for index in (1, 3):
        runs.go(path, shard=Shard(index=index, count=4))
    with pytest.raises(
        Unfinished, match=r"lacks 6 of its 12 blocks.* Of 4 shards, .*: 2, 4\. Run wholecloth run CONFIG --shard i/4"
    ) as refused:
        complete_store(store, anything)
    assert refused.value.exit_code == 75
    assert not status(store).complete
    assert not (tmp_path / "job.png").exists()
    shutil.rmtree(store / "0/mask/shards")
    with pytest.raises(Unfinished, match="No shard has left a note"):
        complete_store(store, anything)
    for index in (2, 4):
        runs.go(path, shard=Shard(index=index, count=4))
    assert complete_store(store, anything).complete


@pytest.mark.slow
def test_shards_that_are_at_work_are_named_and_what_vanished_is_told(tmp_path: Path) -> None:
    store = in_shards(tmp_path)
    Ledger(store).drop((0, 1))
    with pytest.raises(Unfinished, match="All 2 shards have reported"):
        complete_store(store, anything)
    with (
        acquire(store, Shard(index=1, count=2), "a run of shard 1/2", anything),
        pytest.raises(Unfinished, match=r"At work.*: a run of shard 1/2; wait"),
    ):
        complete_store(store, anything)
    runs.go(scenes.config(tmp_path), shard=Shard(index=1, count=2))
    with (
        acquire(store, Shard(index=1, count=2), "a run of shard 1/2", anything),
        pytest.raises(Unfinished, match=r"is in use: a run of shard 1/2"),
    ):
        complete_store(store, anything)
    assert complete_store(store, anything).complete


WITHOUT = """
import sys
for name in ("torch", "rasterio", "shapely"):
    sys.modules[name] = None
sys.argv = ["wholecloth", "finish", sys.argv[1]]
from pipeline.cli import main
main()
"""


@pytest.mark.slow
def test_neither_raster_nor_weights_nor_torch_are_needed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    store = in_shards(tmp_path / "there", output={"report": True, "layers": ["mask", "confidence"]})
    away = tmp_path / "here" / "job.zarr"
    shutil.copytree(store, away)
    shutil.rmtree(tmp_path / "there")
    done = run([sys.executable, "-c", WITHOUT, str(away)], fork=False)
    assert done.returncode == 0, done.stderr
    assert str(away.with_suffix(".png")) in done.stdout
    assert "Complete: 12 blocks" in away.with_suffix(".report.html").read_text()
    assert status(away).complete


@pytest.mark.slow
@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(
    "at", ["the first overview", "the last overview", "sidecars", "sidecar", "quicklook", "report"]
)
def test_stopped_anywhere_and_begun_again_it_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    said = {
        "output": {"layers": ["mask", "confidence"], "chunk": 32, "block": 128, "path": str(tmp_path / "job.zarr")},
        "execution": {"engine": "serial"},
    }
    store = in_shards(tmp_path, **said)
    shutil.copytree(store, tmp_path / "again" / "job.zarr")
    complete_store(store, anything)
    expected, calls = runs.everything(store), list[int]()
    again, total = (
        tmp_path / "again" / "job.zarr",
        sum(level.count for level in overviews.levels(store, module.read_spec(store))),
    )
    real = overviews.OverviewTask._make

    def dies(*args: Any) -> Any:
        raise KeyboardInterrupt

    def make(self: Any, *args: Any) -> None:
        calls.append(1)
        if len(calls) == (1 if "first" in at else total):
            raise KeyboardInterrupt
        real(self, *args)

    with monkeypatch.context() as patched:
        if "overview" in at:
            patched.setattr(overviews.OverviewTask, "_make", make)
        else:
            steps = {
                "sidecars": (sidecars, "finish_store"),
                "sidecar": (vrt, "write"),
                "quicklook": (quicklook, "write"),
                "report": (module.Report, "text"),
            }
            patched.setattr(*steps[at], dies)
        with pytest.raises(KeyboardInterrupt):
            complete_store(again, anything)
    assert leases.keys(again) == []
    complete_store(again, anything)
    assert runs.everything(again) == expected


@pytest.mark.nightly("kills")
@pytest.mark.slow
def test_killed_by_the_system_it_is_begun_again_at_once(tmp_path: Path) -> None:
    said = {"output": {"layers": EVERY, "chunk": 32, "block": 128, "path": str(tmp_path / "job.zarr")}}
    store = in_shards(tmp_path, **said)
    for after in ("1/mask/ledger", "2/mask/ledger", "job.vrt"):
        process = runs.start("finish", store)
        watched = tmp_path / after if after.endswith(".vrt") else store / after
        process.wait_for(watched.exists)
        process.kill()
        process.communicate()
    code, _, err = runs.wait(runs.start("finish", store))
    assert (code, "waiting" in err) == (0, False), err
    finished = runs.arrays(store)
    runs.go(scenes.config(tmp_path, **said), fresh=True)
    assert runs.arrays(store) == finished


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_certificate_that_the_config_wants_is_made_and_kept(tmp_path: Path) -> None:
    store = in_shards(tmp_path, output={"path": str(tmp_path / "job.zarr"), "certificate": True})
    report = complete_store(store, anything)
    assert report.certificate is not None
    assert report.certificate["passed"]
    assert read_store_meta(store)["certificate"]["passed"]
    before = runs.everything(store)
    again = complete_store(store, anything)
    assert again.certificate == report.certificate
    assert runs.everything(store) == before


@pytest.mark.slow
def test_a_certificate_holds_for_as_long_as_nothing_is_written(tmp_path: Path) -> None:
    store = in_shards(tmp_path)
    complete_store(store, anything)
    write_certificate(store, {"passed": True, "why": "it was looked at"})
    assert complete_store(store, anything).certificate == read_store_meta(store)["certificate"]
    Ledger(store, 1).drop((0, 0))
    assert complete_store(store, anything).certificate is None
    assert "certificate" not in read_store_meta(store)


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_certificate_that_fails_says_so_and_one_without_its_network_leaves_the_store_complete(tmp_path: Path) -> None:
    store = in_shards(tmp_path, output={"path": str(tmp_path / "job.zarr"), "certificate": True})
    shutil.copytree(store, tmp_path / "copy.zarr")
    (tmp_path / "unet.pt").rename(tmp_path / "away.pt")
    with pytest.raises(InputError, match=r"unet\.pt"):
        complete_store(tmp_path / "copy.zarr", anything)
    assert status(tmp_path / "copy.zarr").complete
    (tmp_path / "away.pt").rename(tmp_path / "unet.pt")
    open_layer(store, 0, "mask")[0:64, 0:64] = 0
    with pytest.raises(CertificateError, match="is not what was committed"):
        complete_store(store, anything)
    assert leases.keys(store) == []


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_of_an_area_only_its_overviews_are_made(tmp_path: Path) -> None:
    data = scenes.position(2300, 100)
    data[:, 300:] = 0
    scenes.write(tmp_path / "scene.tif", data, nodata=0)
    area = {
        "type": "Polygon",
        "coordinates": [[[500_000, 4_600_000], [500_900, 4_600_000], [500_900, 4_597_100], [500_000, 4_600_000]]],
    }
    crs, feature = (
        {"type": "name", "properties": {"name": "EPSG:32633"}},
        {"type": "Feature", "properties": {}, "geometry": area},
    )
    (tmp_path / "area.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    store = in_shards(tmp_path, source={"aoi": str(tmp_path / "area.geojson")})
    report = complete_store(store, anything)
    assert report.blocks == 3
    assert Ledger(store, 1).committed() == {(0, 0)}
    runs.go(scenes.config(tmp_path, "calm", source={"aoi": str(tmp_path / "area.geojson")}))
    assert runs.arrays(store) == runs.arrays(tmp_path / "calm.zarr")


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store of ours"):
        complete_store(tmp_path, anything)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_chunk_that_vanished_is_missed_before_anything_is_made_of_it(tmp_path: Path) -> None:
    store = in_shards(tmp_path)
    next(path for path in sorted((store / "0/mask/c").rglob("*")) if path.is_file()).unlink()
    with pytest.raises(Unfinished, match=r"lacks 1 of its 12 blocks.* All 2 shards have reported"):
        complete_store(store, anything)
    assert not status(store).complete
