"""Damage of every kind is a fault that is named, never a bug of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import CertificateError, StoreError
from tests.quality.verify import made

RECORD = "0/mask/ledger/r00000/b00001.json"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.store(tmp_path_factory.mktemp("good"), tile={"size": 96})


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "moved.zarr"))


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda store: (store / name).write_bytes(content)


def remove(name: str) -> Callable[[Path], object]:
    return lambda store: shutil.rmtree(store / name) if (store / name).is_dir() else (store / name).unlink()


def folder(name: str) -> Callable[[Path], object]:
    def change(store: Path) -> None:
        (store / name).unlink()
        (store / name).mkdir()

    return change


def failed(store: Path) -> None:
    remove(RECORD)(store)
    write("0/mask/ledger/r00000/b00001.failed", b"no json")(store)


def reshaped(store: Path) -> None:
    zarr.open_array(store / "0/mask", mode="r+").resize((300, 500))


def filled(store: Path) -> None:
    path = store / "1/confidence/zarr.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fill_value": 9}))


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=8)
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        *[
            (write(RECORD, said), "block 0,1: its commit record cannot be read")
            for said in (b"", b'{"chunks": {"0/', b"[]", b'{"chunks": []}')
        ],
        (folder(RECORD), "block 0,1: its commit record cannot be read"),
        (folder("0/mask/c/1/1"), "block 0,0: chunk 0/mask/c/1/1 is gone"),
        (failed, "block 0,1: not committed"),
        (remove("0/mask/zarr.json"), "full resolution: the array of mask cannot be opened"),
        (write("0/mask/zarr.json", b"garbage"), "full resolution: the array of mask cannot be opened"),
        (write("0/mask/zarr.json", b"[]"), "full resolution: the array of mask cannot be opened"),
        (reshaped, r"full resolution: mask has shape \(300, 500\) instead of \(300, 420\)"),
        (filled, "overview 1: confidence has fill 9 instead of 0"),
        (remove("0/confidence"), "full resolution: the array of confidence cannot be opened"),
        (remove("1/confidence"), "overview 1: the array of confidence cannot be opened"),
        (remove("2"), "overview 2: the array of mask cannot be opened"),
        (remove("0"), "full resolution: the array of mask cannot be opened"),
    ],
    ids=[
        "record empty",
        "record cut",
        "record a list",
        "record of a list",
        "record a folder",
        "chunk a folder",
        "failed",
        "mask gone",
        "mask garbage",
        "mask a list",
        "reshaped",
        "filled",
        "confidence gone",
        "confidence of an overview gone",
        "overview gone",
        "full resolution gone",
    ],
)
def test_damage_is_named_and_the_certificate_is_written(copy: Path, harm: Callable[[Path], object], words: str) -> None:
    harm(copy)
    failed = CliRunner().invoke(app, ["verify", str(copy)])
    assert isinstance(failed.exception, CertificateError), failed.exception
    assert failed.exception.exit_code == 4
    with pytest.raises(CertificateError, match=words):
        raise failed.exception
    assert not made.meta(copy)["certificate"]["passed"]


@pytest.mark.parametrize("name", ["tiles", "costs", "recipe", "fingerprint", "blocks"])
def test_a_root_that_lost_its_plan_is_damaged(copy: Path, name: str) -> None:
    root = json.loads((copy / "zarr.json").read_text())
    del root["attributes"]["wholecloth"][name]
    (copy / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match=f"is damaged: .* {name}"):
        made.job_of(copy, [])
    root["attributes"]["wholecloth"]["tiles"] = {"size": 96}
    (copy / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match="is damaged"):
        made.job_of(copy, [])


@pytest.mark.slow
def test_damage_done_after_an_array_was_opened_is_seen(copy: Path) -> None:
    assert made.looked(copy, windows=1)["passed"]
    reshaped(copy)
    assert "mask has shape" in made.looked(copy, windows=1)["why"]
    assert np.asarray(zarr.open_array(copy / "0/mask", mode="r")).shape == (300, 500)
