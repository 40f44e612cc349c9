"""The main job with its store, its raster or both on object storage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.config.postprocess import StepConfig
from pipeline.errors import StoreError, Unfinished
from pipeline.locations import Remote
from pipeline.running.apply import apply_postprocess
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from pipeline.store import create_remote
from pipeline.store.files import files_at
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.status import status
from tests import scenes, storage
from tests.commands import Command, run, settled
from tests.sources.gdal.test_colours import rgba
from tests.sources.served import served
from tests.sources.validity.test_validity import notes
from tests.storage import BUCKET, KEY, SECRET, TOKEN, Storage, contents

PLAN = {"tile": {"size": 96}}


def config(folder: Path, **sections: dict[str, Any]) -> Path:
    output = {
        "path": f"s3://{BUCKET}/{folder.name}/job.zarr",
        "layers": ["mask", "confidence"],
        **sections.pop("output", {}),
    }
    return scenes.config(folder, **{**PLAN, "output": output, **sections})


def go(path: Path, *overrides: str, fresh: bool = False) -> Report:
    job = prepare_job(load_config(path, list(overrides)), fresh)
    with Progress() as progress:
        return execute(job, progress, fresh)


def place(folder: Path) -> Remote:
    return Remote(f"s3://{BUCKET}/{folder.name}/job.zarr")


def chunks(where: Remote | Path) -> dict[str, bytes]:
    """Everything of a store but what says how it was made, and the claim that a disk does without."""
    return {
        key: data
        for key, data in contents(where).items()
        if key not in ("zarr.json", ".zattrs", ".zmetadata", create_remote.CLAIM)
    }


def on_disk(folder: Path, **output: Any) -> dict[str, bytes]:
    """What the same job writes into a folder."""
    go(scenes.config(folder, "reference", **PLAN, output={"layers": ["mask", "confidence"], **output}))
    return chunks(folder / "reference.zarr")


def command(*args: str, storage: Storage) -> subprocess.Popen[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return Command(
        [sys.executable, "-m", "pipeline", *args], env={**os.environ, **storage.environment()}, text=True, **streams
    )


@pytest.mark.slow
@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize("output", [{}, {"zarr_format": 2}, {"shard": 128}], ids=str)
def test_a_store_on_object_storage_holds_what_a_folder_holds(
    s3: Storage, tmp_path: Path, output: dict[str, Any]
) -> None:
    report = go(config(tmp_path, output=output, execution={"engine": "threads", "workers": 3}))
    assert report.complete
    assert chunks(place(tmp_path)) == on_disk(tmp_path, **output)
    assert (open_layer(place(tmp_path), 0, "mask")[:] == scenes.whole(tmp_path)).all()
    beside = {
        name: str(place(tmp_path).with_suffix(ending))
        for name, ending in (("report", ".report.json"), ("sidecar", ".vrt"), ("quicklook", ".png"))
    }
    assert report.files == {"store": str(place(tmp_path)), **beside}
    for name in ("job.report.json", "job.vrt", "job.png"):
        assert files_at(place(tmp_path).parent).exists(name)
    assert go(config(tmp_path, output=output)).resumed == 12


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_the_layer_cleaned_on_object_storage_is_that_of_a_folder(s3: Storage, tmp_path: Path, engine: str) -> None:
    steps: list[dict[str, Any]] = [{"remove_small": "40 px"}, {"majority": 3}]
    classes = [{**scenes.CLASSES[0], "role": "background"}, *scenes.CLASSES[1:]]
    output = {"layers": ["mask"], "postprocess": steps}
    given: dict[str, Any] = {**PLAN, "model": {"classes": classes}, "execution": {"engine": engine, "workers": 2}}
    go(config(tmp_path, **{**given, "output": output}))
    go(scenes.config(tmp_path, "reference", **given, output=output))
    assert chunks(place(tmp_path)) == chunks(tmp_path / "reference.zarr")
    assert "0/cleaned/c/0/0" in chunks(place(tmp_path))
    for store in (place(tmp_path), tmp_path / "reference.zarr"):
        apply_postprocess(store, [StepConfig(close=1)], lambda line: None)
        assert status(store).complete
    remade = chunks(place(tmp_path))
    assert remade == chunks(tmp_path / "reference.zarr")
    assert not any("partial" in key for key in remade)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_the_commands_take_it_as_they_take_a_folder(s3: Storage, tmp_path: Path) -> None:
    path, store = config(tmp_path, output={"certificate": True, "report": True}), str(place(tmp_path))
    labels = scenes.write(tmp_path / "labels.tif", np.full((1, 300, 420), 1, dtype="uint8"))
    for args in (
        ["plan", str(path)],
        ["run", str(path)],
        ["status", store],
        ["verify", store, "--windows=4"],
        ["evaluate", store, f"--labels={labels}"],
    ):
        done = CliRunner().invoke(app, args)
        assert done.exit_code == 0, f"{args}: {done.output} {done.exception}"
        assert store in done.output
    report = json.loads(files_at(place(tmp_path).parent).get("job.report.json") or b"")
    assert report["certificate"]["passed"] is True
    assert read_store_meta(place(tmp_path))["certificate"]["passed"] is True
    assert b"image</figcaption>" in (files_at(place(tmp_path).parent).get("job.report.html") or b"")  # a seam


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(s3: Storage, tmp_path: Path) -> None:
    path = config(tmp_path, execution={"engine": "threads", "workers": 2})
    s3.fail({"method": "PUT", "match": r"0/mask/c/", "skip": 17, "hang": 60})
    with command("run", str(path), storage=s3) as run:
        storage.until(lambda: sum("/0/mask/ledger/" in asked and method == "PUT" for method, asked, _ in s3.asked) >= 3)
        run.send_signal(signal.SIGKILL)
    s3.fail()
    before = status(place(tmp_path))
    assert 3 <= before.committed < 12
    assert not before.complete
    report = go(path)
    assert report.resumed == before.committed
    assert report.resumed + report.done == 12
    assert chunks(place(tmp_path)) == on_disk(tmp_path)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_storage_that_fails_twice_is_asked_again_and_nothing_is_lost(s3: Storage, tmp_path: Path) -> None:
    s3.fail(
        {"method": "PUT", "match": "0/mask/c/", "skip": 5, "count": 2, "status": 503},
        {"method": "PUT", "match": "ledger", "count": 2, "status": 500},
        {"method": "GET", "match": "0/mask/c/", "count": 2, "status": 503},
        {"method": "PUT", "match": "claim", "count": 2, "status": 503},
        {"method": "POST", "count": 2, "status": 503},
    )
    assert go(config(tmp_path)).complete
    assert sum(code in (500, 503) for _, _, code in s3.asked) == 10
    assert chunks(place(tmp_path)) == on_disk(tmp_path)


@pytest.mark.slow
def test_storage_that_goes_away_ends_the_run_with_75_and_one_paragraph_and_a_rerun_goes_on(
    tmp_path: Path, s3: Storage
) -> None:
    path = config(tmp_path)
    s3.fail({"method": "PUT", "match": "0/mask/c/", "skip": 20, "status": 503})
    with pytest.raises(Unfinished, match=rf"s3://{BUCKET}.* is away .*run the same command again"):
        go(path)
    s3.forget()
    committed = status(place(tmp_path)).committed
    assert 0 < committed < 12
    assert go(path).resumed == committed
    assert chunks(place(tmp_path)) == on_disk(tmp_path)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_a_server_that_dies_in_mid_run_is_told_in_one_paragraph(tmp_path: Path) -> None:
    with storage.served(tmp_path) as alone:
        alone.fail({"method": "PUT", "match": "0/mask/c/", "skip": 9, "die": True})
        path = config(tmp_path)
        code = (
            "import sys; from pipeline.store.files import clients; clients.RETRIES = 2; from "
            "pipeline.cli import main; sys.argv[1:] = {!r}; main()"
        )
        done = run(
            [sys.executable, "-c", code.format(["run", str(path)])], env=settled({**os.environ, **alone.environment()})
        )
    assert done.returncode == 75, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"s3://{BUCKET}")
    assert "run the same command again" in last
    assert "Traceback" not in done.stderr
    assert not any(secret in done.stderr + done.stdout for secret in (SECRET, TOKEN, KEY))


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_another_job_on_the_same_store_is_refused_and_fresh_begins_anew(s3: Storage, tmp_path: Path) -> None:
    go(config(tmp_path))
    other = {"model": {"input": {"mean": 400}}}
    with pytest.raises(StoreError, match=r"model\.input\.mean.*--fresh"):
        go(config(tmp_path, **other))
    assert go(config(tmp_path, **other), fresh=True).done == 12
    files_at(place(tmp_path).with_name("other.zarr")).put("diary.txt", b"keep me")
    with pytest.raises(StoreError, match="not a store of ours"):
        go(config(tmp_path), f"output.path={place(tmp_path).with_name('other.zarr')}", fresh=True)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_a_creation_that_was_cut_short_is_carried_out(s3: Storage, tmp_path: Path) -> None:
    path = config(tmp_path)
    s3.fail({"method": "PUT", "match": "job.zarr/zarr.json", "status": 503})
    with pytest.raises(Unfinished):
        go(path)
    s3.forget()
    assert go(path).done == 12
    s3.fail({"method": "POST", "match": "delete", "skip": 2, "status": 503})
    with pytest.raises(Unfinished):
        go(path, fresh=True)
    s3.forget()
    with pytest.raises(StoreError, match=r"being deleted.*--fresh"):
        go(path)
    assert go(path, fresh=True).done == 12


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_two_commands_at_once_make_one_whole_store(s3: Storage, tmp_path: Path) -> None:
    """Whether the second joins or is refused, nothing of either is lost."""
    path = config(tmp_path, execution={"engine": "threads", "workers": 2})
    runs = [command("run", str(path), storage=s3) for _ in range(2)]
    said = [run.communicate(timeout=200)[1] for run in runs]
    codes = sorted(run.returncode for run in runs)
    assert codes in ([0, 0], [0, 75]), said
    assert status(place(tmp_path)).complete
    assert chunks(place(tmp_path)) == on_disk(tmp_path)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_nothing_is_asked_of_the_disk_where_the_store_is_not_on_it(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.runtime.disk.shutil.disk_usage", lambda _: type("Usage", (), {"free": 0})())
    assert go(config(tmp_path)).complete


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("prefix", ["s3://", "/vsis3/"])
def test_associated_alpha_is_noticed_on_object_storage(s3: Storage, tmp_path: Path, prefix: str) -> None:
    files_at(place(tmp_path).parent).put("a.tif", rgba(tmp_path / "a.tif").read_bytes())
    assert "multiplied by its alpha" in notes(f"{prefix}{BUCKET}/{tmp_path.name}/a.tif")


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("prefix", ["s3://", "/vsis3/"])
def test_a_raster_on_the_same_storage_is_read_with_the_same_environment(
    s3: Storage, tmp_path: Path, prefix: str
) -> None:
    scenes.scene(tmp_path / "scene.tif")
    files_at(place(tmp_path).parent).put("scene.tif", (tmp_path / "scene.tif").read_bytes())
    s3.fail({"method": "GET", "match": "scene.tif", "skip": 2, "count": 2, "status": 503})
    path = config(tmp_path, source={"path": f"{prefix}{BUCKET}/{tmp_path.name}/scene.tif"})
    assert go(path).complete
    assert [code for _, asked, code in s3.asked if "scene.tif" in asked].count(503) == 2
    assert chunks(place(tmp_path)) == on_disk(tmp_path)
    made = read_store_meta(place(tmp_path))["fingerprint"]
    assert made["source.etag"]
    assert made["source.size"] == (tmp_path / "scene.tif").stat().st_size
    scenes.scene(tmp_path / "scene.tif", seed=5)
    files_at(place(tmp_path).parent).put("scene.tif", (tmp_path / "scene.tif").read_bytes())
    with pytest.raises(StoreError, match=r"source\.etag.*--fresh"):
        go(path)


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_a_raster_is_read_by_the_profile_that_the_store_is_written_by(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.scene(tmp_path / "scene.tif")
    files_at(place(tmp_path).parent).put("scene.tif", (tmp_path / "scene.tif").read_bytes())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = y\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    storage.forget()
    s3.forget()
    assert go(config(tmp_path, source={"path": f"s3://{BUCKET}/{tmp_path.name}/scene.tif"})).complete
    assert set(s3.keys) == {"AKIAMINE"}


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_a_signed_raster_is_the_same_under_another_signature_and_no_signature_is_kept(
    s3: Storage, tmp_path: Path
) -> None:
    scenes.scene(tmp_path / "scene.tif")
    log = tmp_path / "log"
    with served(tmp_path, log) as web:
        path = config(tmp_path)
        host = web.url.removeprefix("http://")

        def signed(secret: str) -> str:
            return f"source.path=http://user:{SECRET[:9]}@{host}/scene.tif?X-Amz-Credential=a&X-Amz-Signature={secret}&versionId=3"

        assert go(path, signed("firstSignature")).done == 12
        assert go(path, signed("otherSignature")).resumed == 12
        assert any("firstSignature" in asked for _, asked, _, _ in web.asked)
        plan = CliRunner().invoke(app, ["plan", str(path), "--json", f"--set={signed('firstSignature')}"])
    beside = files_at(place(tmp_path).parent)
    kept = b"".join(
        [
            *contents(place(tmp_path)).values(),
            *(beside.get(f"job.{end}") or b"" for end in ("report.json", "vrt", "png")),
        ]
    )
    for secret in ("firstSignature", "otherSignature", SECRET[:9], KEY, SECRET, TOKEN):
        assert secret.encode() not in kept
        assert secret not in plan.output
    meta = read_store_meta(place(tmp_path))
    assert meta["fingerprint"]["source.path"] == f"http://{host}/scene.tif?versionId=3"
    assert meta["given"]["source"]["path"] == meta["fingerprint"]["source.path"]


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_gdal_opens_a_store_of_a_run_by_its_sidecar(s3: Storage, tmp_path: Path) -> None:
    go(config(tmp_path, output={"zarr_format": 2}))
    there = rasterio.Env(AWS_S3_ENDPOINT=s3.url.removeprefix("http://"), AWS_HTTPS="NO", AWS_VIRTUAL_HOSTING="FALSE")
    with there, rasterio.open(f"/vsis3/{BUCKET}/{tmp_path.name}/job.vrt") as mask:
        assert (mask.read(1) == scenes.whole(tmp_path)).all()
        assert len(mask.overviews(1)) == 3


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_what_a_run_asks_of_the_storage_is_little_more_than_its_chunks(s3: Storage, tmp_path: Path) -> None:
    """12 blocks of 4 chunks of 2 layers: what `docs/object_storage.md` says."""
    path = config(tmp_path, output={"pyramid": False})
    go(path)
    s3.forget()
    go(path, fresh=True)
    asked = [(method, key.partition("job.zarr/")[2]) for method, key, _ in s3.asked]
    for layer in ("mask", "confidence"):
        chunk = [method for method, key in asked if key.startswith(f"0/{layer}/c/")]
        assert chunk.count("GET") <= 35  # the picture reads each once
        assert len(chunk) - chunk.count("GET") == 35
    assert sum(method == "PUT" and "/ledger/" in key for method, key in asked) == 12


def test_a_place_that_cannot_be_is_told_by_the_commands() -> None:
    done = CliRunner().invoke(app, ["status", "https://host/a.zarr"])
    assert done.exit_code == 2
    assert "s3://" in done.output
