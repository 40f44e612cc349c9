"""What `run` and `plan` are told on the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import rasterio
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.app import overriding
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.store.status import status
from tests import scenes
from tests.running.test_execute import digest


def invoke(*args: object) -> str:
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.slow
def test_out_is_the_store_wherever_the_config_has_it_and_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scenes.config(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert f"at {tmp_path / 'here'}/it's: {{mine}}.zarr" in invoke(
        "plan", path, "--set", "output.path=lost.zarr", "--out", "it's: {mine}.zarr"
    )
    said = invoke("run", path, "--set", "output.path=lost.zarr", "--out", "it's: {mine}.zarr")
    assert f"store: {tmp_path / 'here'}/it's: {{mine}}.zarr" in said
    assert status(tmp_path / "here" / "it's: {mine}.zarr").complete
    assert not (tmp_path / "job.zarr").exists()
    assert not (tmp_path / "here" / "lost.zarr").exists()


@pytest.mark.slow
def test_a_source_that_was_moved_is_planned_with_a_word_and_taken_for_the_same_where_that_is_said(
    tmp_path: Path,
) -> None:
    path = scenes.config(tmp_path)
    invoke("run", path)
    moved = shutil.move(tmp_path / "scene.tif", tmp_path / "moved.tif")
    with rasterio.open(moved, "r+") as file:
        file.write(file.read()[:, ::-1])
    size = tmp_path / "job.zarr" / "zarr.json"
    size.write_text(re.sub(r'"source.size": \d+', f'"source.size": {Path(moved).stat().st_size}', size.read_text()))
    where = ("--set", f"source.path={moved}")
    assert f"source.path was {tmp_path}/scene.tif and is now {moved}: `run` compares" in invoke("plan", path, *where)
    with pytest.raises(StoreError, match="committed blocks differ"):
        invoke("run", path, *where)
    assert "before this run" in invoke("run", path, *where, "--same-source")
    assert "is now" not in invoke("plan", path, *where)


@pytest.mark.slow
def test_a_plan_is_frozen_and_run_and_without_one_locked_is_refused(tmp_path: Path) -> None:
    path, file = scenes.config(tmp_path), tmp_path / "run.lock.yaml"
    with pytest.raises(
        ConfigError, match=r"--locked demands a frozen plan, but .*job\.yaml has no section locked.*--freeze"
    ):
        invoke("run", path, "--locked")
    assert f"frozen      {file}" in invoke("plan", path, "--freeze", file)
    assert not (tmp_path / "job.zarr").exists()
    invoke("run", file, "--locked", "--out", tmp_path / "one.zarr")
    invoke("run", file, "--out", tmp_path / "two.zarr")
    assert digest(tmp_path / "one.zarr") == digest(tmp_path / "two.zarr")
    assert len(digest(tmp_path / "one.zarr")) > 10
    assert load_config(file).output.path == tmp_path / "job.zarr"


def test_a_store_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Küste 🌊: #1"
    assert (
        load_config(scenes.config(tmp_path), overriding(None, str(folder / "a.zarr"))).output.path == folder / "a.zarr"
    )
