"""What a run looks at before it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.errors import StoreError
from pipeline.geometry.shards import Shard
from pipeline.running.execute import prepare_job
from pipeline.running.resume_check import check_before_resume
from pipeline.store.ledger import Ledger
from tests import scenes
from tests.quality.verify import made


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.store(tmp_path_factory.mktemp("good"), tile={"size": 96})


def config(good: Path, folder: Path) -> Path:
    """Of a copy of a store, with its raster and its network."""
    shutil.copytree(good, folder / "job.zarr")
    said = {"source": {"path": str(good.parent / "scene.tif")}, "output": made.LAYERS, "tile": {"size": 96}}
    return scenes.config(folder, model={"path": str(good.parent / "unet.pt")}, **said)


def look(path: Path, said: list[str]) -> None:
    job = prepare_job(load_config(path))
    check_before_resume(job.path, job.spec, not job.complete, said.append)


def unfinish(store: Path) -> None:
    root = store / "zarr.json"
    root.write_text(root.read_text().replace('"complete": true', '"complete": false'))


@pytest.mark.slow
def test_an_unfinished_store_forgets_what_it_lost_and_says_so(good: Path, tmp_path: Path) -> None:
    path, said = config(good, tmp_path), []
    unfinish(tmp_path / "job.zarr")
    (tmp_path / "job.zarr/0/confidence/c/0/2").unlink()
    (tmp_path / "job.zarr/1/mask/ledger/r00000/b00000.json").write_bytes(b"")
    look(path, said)
    assert len(said) == 1
    assert said[0].startswith("2 commit records")
    assert (0, 1) not in Ledger(tmp_path / "job.zarr").committed()
    assert Ledger(tmp_path / "job.zarr", 1).count() == 0


def test_a_complete_store_is_left_to_verify(good: Path, tmp_path: Path) -> None:
    path, said = config(good, tmp_path), []
    (tmp_path / "job.zarr/0/confidence/c/0/2").unlink()
    look(path, said)
    assert (said, Ledger(tmp_path / "job.zarr").count()) == ([], 12)


def test_arrays_that_are_gone_are_told(good: Path, tmp_path: Path) -> None:
    path, said = config(good, tmp_path), []
    (tmp_path / "job.zarr/1/confidence/zarr.json").unlink()
    with pytest.raises(StoreError, match=r"is damaged: the array of confidence cannot be opened.*level 1.*--fresh"):
        look(path, said)


def test_a_shard_forgets_blocks_of_its_own_alone(good: Path, tmp_path: Path) -> None:
    path, said = config(good, tmp_path), []
    unfinish(tmp_path / "job.zarr")
    for chunk in ("0/2", "4/0"):
        (tmp_path / f"job.zarr/0/confidence/c/{chunk}").unlink()
    job = prepare_job(load_config(path))
    check_before_resume(job.path, job.spec, True, said.append, job.task.share(Shard(index=1, count=2), job.blocks))
    assert said[0].startswith("1 commit records")
    assert Ledger(tmp_path / "job.zarr").count() == 11
    assert (0, 1) not in Ledger(tmp_path / "job.zarr").committed()
