"""Stores of an earlier release.

They are read, gone on with and verified, whatever was moved or renamed in the package since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.geometry.window import Window
from pipeline.planning.prepare import prepare_job
from pipeline.store.reader import open_store
from tests import stores_of_before

pytestmark = pytest.mark.slow

COMMITTED = {"classifier": 6, "factory": 1, "fcn8s": 12}
"""Blocks of 12 that were committed when the run of a store ended."""
NETWORKS = {
    "classifier": {"kind": "classifier", "factory": "lenet", "code": {"pipeline.networks.classifiers": "revision 1"}},
    "factory": {"kind": "python", "factory": "network"},
    "fcn8s": {"kind": "fcn8s", "revision": 1},
}


@pytest.fixture(scope="module")
def _place() -> Iterator[None]:
    """The folder that the stores remember.

    One worker runs all tests of a module with such a fixture, and a lock keeps other runs of the tests away.
    """
    with stores_of_before.exclusive():
        yield


@pytest.fixture(params=stores_of_before.NAMES)
def folder(request: pytest.FixtureRequest, _place: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with its config, raster and network, as its run left them."""
    # the folder is not in memory, as those of other tests are, and no power fails here
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    folder = stores_of_before.unpack(request.param)
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(folder / "cache"))  # measuring the network again is for other tests
    return folder


def command(*arguments: object) -> str:
    """What the public command prints; it must end with 0."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def expected(folder: Path) -> np.ndarray:
    """The mask of a run that nothing stopped."""
    with np.load(folder / "expected.npz") as arrays:
        return arrays["mask"]


def mask(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(store / "0" / "mask", mode="r")[:])


def files(store: Path) -> dict[Path, tuple[bytes, int]]:
    """Bytes and time of every chunk and commit record of full resolution."""
    paths = [
        path for path in (store / "0" / "mask").rglob("*") if path.is_file() and ({"c", "ledger"} & set(path.parts))
    ]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def fingerprint(store: Path) -> dict[str, Any]:
    return dict(zarr.open_group(store, mode="r").attrs["wholecloth"]["fingerprint"])


def test_a_store_of_before_is_read_by_zarr_and_by_its_reader(folder: Path) -> None:
    store, whole = folder / "job.zarr", expected(folder)
    stored = mask(store)
    assert ((stored == whole) | (stored == 255)).all()
    assert set(np.unique(whole)) == {0, 1, 2, 3, 255}
    level = open_store(store)
    assert level.committed_blocks() == COMMITTED[folder.name]
    assert [row.name for row in level.classes] == list("abcd")
    assert (level.read(Window(row=0, col=0, height=whole.shape[0], width=whole.shape[1])) == stored).all()


def test_a_run_goes_on_with_a_store_of_before_and_makes_no_committed_block_again(folder: Path) -> None:
    store, committed = folder / "job.zarr", COMMITTED[folder.name]
    assert json.loads(command("status", store, "--json"))["committed"] == committed
    before, remembered = files(store), fingerprint(store)
    assert f"12 blocks ({committed} before this run" in command("run", folder / "job.yaml")
    after = files(store)
    assert {path: after.get(path) for path in before} == before
    assert json.loads(command("status", store, "--json"))["complete"]
    assert fingerprint(store) == remembered
    assert (mask(store) == expected(folder)).all()
    command("verify", store, "--windows", 2)


def test_a_job_of_before_has_its_fingerprint_key_by_key(folder: Path) -> None:
    """A key that is added is a choice that stores of before did not have.

    One that is gone or has another value would refuse them or mix two jobs.
    """
    remembered = fingerprint(folder / "job.zarr")
    current = prepare_job(load_config(folder / "job.yaml", [f"output.path={folder / 'another.zarr'}"])).fingerprint
    assert {key: current.get(key) for key in remembered} == remembered
    for key, value in NETWORKS[folder.name].items():
        assert remembered[f"model.{key}"] == value
