"""The source of a store is opened where its user made it, or where the user asks for it, and nowhere else."""

from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import read_store_meta, restate
from pipeline.store.made_here import is_made_here, note_made_here
from pipeline.viewer import open_image as module
from pipeline.viewer.view import StoreView
from tests import scenes
from tests.viewer import stores
from tests.viewer.client import open_page


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHOLECLOTH_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of sources that were opened."""
    paths, open_source = [], module.open_source
    monkeypatch.setattr(module, "open_source", lambda config, _: (paths.append(config.path), open_source(config))[1])
    return paths


@pytest.fixture
def store(tmp_path: Path) -> Path:
    scenes.write(tmp_path / "scene.tif", scenes.position(600, 900))
    return stores.begin(tmp_path / "a.zarr", stores.spec(), {"path": str(tmp_path / "scene.tif")})


def test_the_source_of_a_strangers_store_is_not_opened(store: Path, opened: list[str]) -> None:
    client = open_page(store)
    image = client.get("/api/scene").json()["image"]
    assert image["bands"] == []
    assert "--source" in image["why"]
    assert client.get("/tiles/image/0/0/0.png?bands=0").status_code == 404
    assert client.get("/api/at?row=1&col=1").json()["bands"] == []
    assert opened == []


def test_the_user_may_have_it_opened(store: Path, opened: list[str]) -> None:
    client = open_page(store, allow_source=True)
    assert client.get("/api/scene").json()["image"] == {
        "bands": ["band 1", "band 2", "band 3"],
        "shown": [0, 1, 2],
        "why": "",
    }
    assert client.get("/tiles/image/0/0/0.png?bands=0").headers["content-type"] == "image/png"
    assert client.get("/api/at?row=10&col=20").json()["bands"] == [
        {"name": "band 1", "number": 11},
        {"name": "band 2", "number": 21},
        {"name": "band 3", "number": 1 + (70 + 260) % 1009},
    ]
    assert len(opened) == 1


def test_the_source_of_a_store_that_was_made_here_is_opened(store: Path, opened: list[str]) -> None:
    note_made_here(read_store_meta(store))
    assert StoreView(store).image.bands
    assert len(opened) == 1


def test_a_copy_that_names_another_file_is_a_strangers(store: Path, opened: list[str], tmp_path: Path) -> None:
    """A store that somebody sent back may name any file of this machine."""
    meta = read_store_meta(store)
    note_made_here(meta)
    restate(store, {**meta, "config": {**meta["config"], "source": {"path": "/etc/passwd"}}})
    assert not StoreView(store).image.bands
    restate(store, {**meta, "config": {**meta["config"], "source": {**meta["config"]["source"], "kind": "raster"}}})
    assert not StoreView(store).image.bands
    assert opened == []


def test_a_source_that_is_gone_is_told(store: Path, tmp_path: Path) -> None:
    (tmp_path / "scene.tif").unlink()
    image = StoreView(store, allow_source=True).image
    assert "does not exist" in image.why
    scenes.write(tmp_path / "scene.tif", scenes.position(60, 90))
    assert "another size" in StoreView(store, allow_source=True).image.why


def test_a_run_notes_the_store_that_it_makes(tmp_path: Path) -> None:
    config = load_config(scenes.config(tmp_path))
    with Progress() as progress:
        execute(prepare_job(config), progress)
    meta = read_store_meta(tmp_path / "job.zarr")
    assert is_made_here(meta)
    assert StoreView(tmp_path / "job.zarr").image.exact
    assert not is_made_here({**meta, "id": "0" * 32})


@pytest.mark.parametrize("meta", [{}, {"id": "../../x", "config": {}}, {"id": "0" * 32}, {"id": 7, "config": {}}])
def test_a_store_without_an_id_of_ours_leaves_no_note(meta: dict, state: Path) -> None:
    note_made_here(meta)
    assert not state.exists()
    assert not is_made_here(meta)


def test_a_note_that_cannot_be_written_is_no_failure(store: Path, state: Path) -> None:
    state.write_text("a file in the place of the folder")
    note_made_here(read_store_meta(store))
    assert not is_made_here(read_store_meta(store))
