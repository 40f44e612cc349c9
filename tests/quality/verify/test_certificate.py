"""The certificate in the store, in the report, in `run` and on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.errors import CertificateError
from pipeline.quality.verify import certificate
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from pipeline.store import overviews
from pipeline.store.status import status
from tests import scenes
from tests.quality.verify import made

EXACT: dict[str, Any] = {"tile": {"size": 96}, "output": {**made.LAYERS, "certificate": True}}


def go(path: Path, fresh: bool = False) -> Report:
    job = prepare_job(load_config(path), fresh)
    with Progress() as progress:
        return execute(job, progress, fresh)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_certificate_changes_nothing_else_in_the_store(tmp_path: Path, zarr_format: int) -> None:
    path = made.store(tmp_path, output={"zarr_format": zarr_format})
    before = {
        str(file): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name not in ("zarr.json", ".zattrs", ".zmetadata")
    }
    root, report = dict(zarr.open_group(path, mode="r").attrs), json.loads((tmp_path / "job.report.json").read_text())
    said = made.looked(path, windows=2)
    certificate.publish(path, said)
    assert {name: Path(name).read_bytes() for name in before} == before
    now = dict(zarr.open_group(path, mode="r").attrs)  # consolidated
    assert now["wholecloth"].pop("certificate") == said
    assert now == root
    told = json.loads((tmp_path / "job.report.json").read_text())
    assert told.pop("certificate") == said
    assert {key: value for key, value in report.items() if key != "certificate"} == told
    scene = xarray.open_zarr(path, group="0", mask_and_scale=False)
    assert scene.mask.shape == (300, 420)
    assert status(path).certificate == {"passed": True, "why": said["why"]}


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_run_makes_the_certificate_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scenes.config(tmp_path, **EXACT)
    first = go(path)
    assert first.certificate is not None
    assert first.certificate["passed"]
    assert made.meta(tmp_path / "job.zarr")["certificate"] == first.certificate
    monkeypatch.setattr(
        "pipeline.quality.verify.verify.verify", lambda *args, **more: pytest.fail("it was verified again")
    )
    again = go(path)
    assert again.certificate == first.certificate == made.meta(tmp_path / "job.zarr")["certificate"]
    assert json.loads((tmp_path / "job.report.json").read_text())["certificate"] == first.certificate


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_certificate_does_not_outlive_the_blocks_that_it_was_made_of(tmp_path: Path) -> None:
    go(scenes.config(tmp_path, **EXACT))
    plain = scenes.config(tmp_path, **{**EXACT, "output": made.LAYERS})
    assert go(plain).certificate is not None
    (tmp_path / "job.zarr" / "0" / "mask" / "ledger" / "r00000" / "b00000.json").unlink()
    assert go(plain).done == 1
    assert "certificate" not in made.meta(tmp_path / "job.zarr")


@pytest.mark.slow
def test_a_run_whose_store_is_spoilt_fails_with_its_certificate(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **{**EXACT, "output": made.LAYERS})
    go(path)
    made.spoil(tmp_path / "job.zarr", (1, 1), lambda values: np.roll(values, 3, 0))
    with pytest.raises(CertificateError, match=r"block 1,1.*--fresh"):
        go(scenes.config(tmp_path, **EXACT))
    said = status(tmp_path / "job.zarr").certificate
    assert said is not None
    assert not said["passed"]
    assert go(scenes.config(tmp_path, **EXACT), fresh=True).certificate is not None


@pytest.mark.slow
def test_the_command_tells_a_person_and_a_program_and_exits_by_the_outcome(tmp_path: Path) -> None:
    path = made.store(tmp_path, tile={"size": 96})
    told = CliRunner().invoke(app, ["verify", str(path), "--windows", "3"])
    assert told.exit_code == 0, told.output
    for words in ("passed", "tiled equals whole", "15 of 15 blocks", "3 windows", "within 16 px"):
        assert words in told.stdout
    said = json.loads(CliRunner().invoke(app, ["verify", str(path), "--windows", "2", "--seed", "7", "--json"]).stdout)
    assert said["windows"] == {"asked": 2, "seed": 7, "side": 128}
    assert "passed" in CliRunner().invoke(app, ["status", str(path)]).stdout
    (path / "0" / "mask" / "c" / "0" / "0").unlink()
    failed = CliRunner().invoke(app, ["verify", str(path)])
    assert isinstance(failed.exception, CertificateError)
    assert failed.exception.exit_code == 4
    assert "FAILED" in failed.stdout
    assert "FAILED" in CliRunner().invoke(app, ["status", str(path)]).stdout
    assert not made.meta(path)["certificate"]["passed"]


@pytest.mark.slow
def test_a_store_that_is_unfinished_is_not_made_complete(tmp_path: Path) -> None:
    path = made.store(tmp_path, output={"pyramid": False})
    (path / "0" / "mask" / "ledger" / "r00000" / "b00000.json").unlink()
    root = json.loads((path / "zarr.json").read_text())
    del root["attributes"]["wholecloth"]["complete"], root["consolidated_metadata"]
    (path / "zarr.json").write_text(json.dumps(root))
    said = made.looked(path)
    certificate.publish(path, said)
    assert not said["passed"]
    assert "complete" not in made.meta(path)
    assert "consolidated_metadata" not in json.loads((path / "zarr.json").read_text())
    assert not status(path).complete


def contents(store: Path) -> dict[str, bytes]:
    """All files but the root's metadata, which says what memory the last run measured."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path != store / "zarr.json"
    }


@pytest.mark.slow
def test_a_block_that_is_made_anew_in_a_complete_store_is_made_anew_in_its_overviews(tmp_path: Path) -> None:
    path, store = scenes.config(tmp_path), tmp_path / "job.zarr"
    go(path)
    before = contents(store)
    made.spoil(store, (1, 2), lambda values: np.full_like(values, 1))
    for level in ("1", "2", "3"):
        shutil.rmtree(store / level / "mask" / "ledger", ignore_errors=True)
    overviews.build_overviews(store, prepare_job(load_config(path)).spec)
    assert contents(store)["1/mask/c/1/2"] != before["1/mask/c/1/2"]
    (store / "0/mask/ledger/r00001/b00002.json").unlink()
    (store / "0/mask/c/3/5").unlink()
    assert go(path).done == 1
    assert contents(store) == before


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_overviews_that_are_gone_from_a_complete_store_are_made_again_and_end_its_certificate(tmp_path: Path) -> None:
    go(scenes.config(tmp_path, **EXACT))
    store, plain = tmp_path / "job.zarr", scenes.config(tmp_path, **{**EXACT, "output": made.LAYERS})
    before = contents(store)
    shutil.rmtree(store / "1" / "mask" / "ledger")
    (store / "1/mask/c/0/0").unlink()
    with pytest.raises(CertificateError, match=r"overview 1, block 0,0: not committed.* Run the job again"):
        certificate.require_passed(store, made.looked(store))
    assert go(plain).done == 0
    assert "certificate" not in made.meta(store)
    assert contents(store) == before


@pytest.mark.slow
def test_advice_names_the_record_of_a_block_that_is_damaged(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    (store / "0/mask/c/3/5").unlink()
    with pytest.raises(
        CertificateError, match=r"delete its commit record \(.*job.zarr/0/mask/ledger/r00001/b00002.json"
    ):
        certificate.require_passed(store, made.looked(store))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_advice_for_a_blended_store_does_not_speak_of_halos(tmp_path: Path) -> None:
    store = made.store(tmp_path, **made.blended(tmp_path))
    with pytest.raises(CertificateError, match=r"more tile.overlap or a larger tile.size") as failed:
        certificate.require_passed(store, made.looked(store, windows=2, tolerance=1e-9))
    assert "tile.halo" not in str(failed.value)
