"""Objects of a store that vanish or are cut short: between a kill and the next run, and before `verify`."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import CertificateError, StoreError
from tests.faults import harness

pytestmark = pytest.mark.slow

CHUNK, RECORD, OVERVIEW = "0/mask/c/0/1", "0/mask/ledger/r00000/b00000.json", "1/mask/c/0/0"
Harm = Callable[[Path], object]


def gone(name: str) -> Harm:
    return lambda store: (store / name).unlink()


def cut(name: str) -> Harm:
    return lambda store: (store / name).write_bytes((store / name).read_bytes()[:7])


@pytest.fixture(scope="module")
def killed(calm: harness.Calm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a run that was killed in mid-run."""
    folder = tmp_path_factory.mktemp("killed")
    started = harness.start(harness.config(folder, calm.raster), "commit", 7)
    started.reached()
    started.send(signal.SIGKILL)
    assert started.ended().code == -9
    return folder / "job.zarr"


@pytest.fixture(scope="module")
def whole(calm: harness.Calm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is complete."""
    folder = tmp_path_factory.mktemp("whole")
    harness.again(harness.config(folder, calm.raster))
    return folder / "job.zarr"


def moved(store: Path, folder: Path, raster: Path) -> Path:
    """A copy of a store that another config leads to."""
    shutil.copytree(store, folder / "job.zarr")
    return harness.config(folder, raster)


def verified(store: Path) -> str | None:
    """What is wrong with a store, or None; the public command, but for the end of the process."""
    done = CliRunner().invoke(app, ["verify", str(store), "--windows", "1"])
    assert isinstance(done.exception, CertificateError | None), done.exception
    return None if done.exception is None else str(done.exception)


def mend(store: Path) -> None:
    """Do as `verify` says."""
    said = str(verified(store))
    record, chunks = re.search(r"delete its commit record \((\S+)", said), re.findall(r"chunk (\S+) is", said)
    assert record is not None, said
    assert chunks, said
    for file in (Path(record[1]), *(store / chunk for chunk in chunks)):
        file.unlink(missing_ok=True)


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(
    "harm", [gone(CHUNK), gone(RECORD), cut(RECORD)], ids=["chunk gone", "record gone", "record cut"]
)
def test_what_vanished_after_a_kill_is_made_anew(calm: harness.Calm, tmp_path: Path, killed: Path, harm: Harm) -> None:
    path = moved(killed, tmp_path, calm.raster)
    harm(tmp_path / "job.zarr")
    report = harness.again(path)
    assert (report.resumed, report.done) == (6, 6)
    calm.same(tmp_path)
    assert verified(tmp_path / "job.zarr") is None


@pytest.mark.parametrize("harm", [gone("zarr.json"), cut("zarr.json")], ids=["gone", "cut"])
def test_a_store_that_lost_its_root_is_left_alone(calm: harness.Calm, tmp_path: Path, killed: Path, harm: Harm) -> None:
    path = moved(killed, tmp_path, calm.raster)
    harm(tmp_path / "job.zarr")
    before = harness.digest(tmp_path / "job.zarr")
    with pytest.raises(StoreError, match=r"not a store of ours.*left as it is.*move it away"):
        harness.again(path)
    assert harness.digest(tmp_path / "job.zarr") == before


@pytest.mark.nightly("kills")
@pytest.mark.parametrize("harm", [gone("0/confidence/zarr.json"), cut("2/mask/zarr.json")], ids=["gone", "cut"])
def test_a_store_that_lost_an_array_is_damaged_and_fresh_mends_it(
    calm: harness.Calm, tmp_path: Path, killed: Path, harm: Harm
) -> None:
    path = moved(killed, tmp_path, calm.raster)
    harm(tmp_path / "job.zarr")
    with pytest.raises(StoreError, match=r"damaged: .*cannot be opened.*--fresh"):
        harness.again(path)
    assert harness.run(path, "--fresh").code == 0
    calm.same(tmp_path)


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize(
    "harm", [cut(CHUNK), gone(CHUNK), cut(OVERVIEW)], ids=["chunk cut", "chunk gone", "overview cut"]
)
def test_damage_of_a_complete_store_is_named_by_verify_and_mended_as_it_says(
    calm: harness.Calm, tmp_path: Path, whole: Path, harm: Harm
) -> None:
    path = moved(whole, tmp_path, calm.raster)
    harm(tmp_path / "job.zarr")
    mend(tmp_path / "job.zarr")
    harness.again(path)
    calm.same(tmp_path)
    assert verified(tmp_path / "job.zarr") is None


def test_a_chunk_that_is_cut_after_a_kill_is_found_by_the_overviews_and_mended_as_verify_says(
    calm: harness.Calm, tmp_path: Path, killed: Path
) -> None:
    path = moved(killed, tmp_path, calm.raster)
    cut("0/mask/c/0/0")(tmp_path / "job.zarr")
    with pytest.raises(StoreError, match=r"is damaged: mask of level 0 cannot be read.*verify names"):
        harness.again(path)
    mend(tmp_path / "job.zarr")
    harness.again(path)
    calm.same(tmp_path)


def test_a_store_that_says_nothing_of_its_plan_is_damaged(calm: harness.Calm, tmp_path: Path, killed: Path) -> None:
    path = moved(killed, tmp_path, calm.raster)
    root = json.loads((tmp_path / "job.zarr" / "zarr.json").read_text())
    del root["attributes"]["wholecloth"]["tiles"]
    (tmp_path / "job.zarr" / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match="is damaged"):
        harness.again(path)
