"""Jobs whose network is a file of a model repository: which commit runs, and what the store and frozen plans say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError
from pipeline.planning.contradictions import find_contradictions
from pipeline.planning.first_config.suggestion import suggest
from pipeline.planning.freeze import freeze
from pipeline.planning.load_network import load_network
from pipeline.planning.locate_network import locate_network
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import progress_as
from pipeline.store import lifecycle
from pipeline.train.train import train
from tests import scenes
from tests.models.hub.server import FIRST, SECOND, Hub, connected

ADDRESS = "hf://owner/nets/deep/unet.pt"
RESOLVED = f"{ADDRESS}@main#commit={FIRST}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with connected(tmp_path, monkeypatch) as hub:
        yield hub


def config(folder: Path) -> Path:
    scenes.scene(folder / "scene.tif", 60, 70)
    return scenes.config(folder, model={"path": ADDRESS, "classes": scenes.CLASSES[:4]})


def test_a_config_is_read_without_a_question_to_the_server(hub: Hub, tmp_path: Path) -> None:
    load_config(config(tmp_path))
    assert hub.asked == []


def test_a_store_and_a_frozen_plan_keep_the_commit(hub: Hub, tmp_path: Path) -> None:
    path = config(tmp_path)
    job = prepare_job(load_config(path))
    frozen = freeze(job, path, tmp_path / "frozen.yaml")
    assert RESOLVED in frozen.read_text()
    assert ("", RESOLVED) in plan_rows(job)
    with progress_as("text", quiet=True) as progress:
        execute(job, progress)
    meta = lifecycle.read_store_meta(job.path)
    assert meta["config"]["model"]["path"] == meta["given"]["model"]["path"] == RESOLVED
    assert str(tmp_path / "cache") not in (job.path / "zarr.json").read_text()
    hub.branches["main"] = SECOND
    for again in (prepare_job(load_config(path)), prepare_job(load_config(frozen))):
        assert again.fingerprint == job.fingerprint
        assert FIRST in again.revision[0]
        assert SECOND in again.revision[0]
    assert load_network(load_config(path)).config.model.place == RESOLVED
    newest = locate_network(load_config(path), None)
    assert newest.config.model.place == f"{ADDRESS}@main#commit={SECOND}"
    assert newest.remarks == ()


def test_init_takes_an_address_and_check_looks_at_its_file(hub: Hub, tmp_path: Path) -> None:
    scene = scenes.scene(tmp_path / "scene.tif")
    (tmp_path / "first.yaml").write_text(suggest(ADDRESS, str(scene), tmp_path).text)
    findings = find_contradictions(load_config(tmp_path / "first.yaml"))
    assert load_config(tmp_path / "first.yaml").model.place == ADDRESS
    assert findings.paragraphs == []
    assert "network" in findings.checked
    with pytest.raises(ModelError, match=r"MODEL is hf://owner/a\.pt, but a file of a model repository is named as"):
        suggest("hf://owner/a.pt", str(scene), tmp_path)


def test_nothing_is_trained_into_a_repository(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is written into a package or a repository"):
        train(load_config(config(tmp_path)), lambda line: None)
    assert hub.asked == []
