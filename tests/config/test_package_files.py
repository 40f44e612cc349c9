"""Files of installed packages: found by what was installed, without an import, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.config.load import load_config
from pipeline.config.package_files import package_file
from pipeline.errors import ConfigError
from pipeline.planning.first_config.suggestion import suggest
from pipeline.planning.freeze import freeze
from pipeline.planning.prepare import prepare_job
from tests import scenes
from tests.packages import list_files

MODULE = "nets_of_a_test"
ADDRESS = f"package://{MODULE}/deep/a.pt"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages with one that ends the process of whoever imports it."""
    site = tmp_path / "site"
    (site / MODULE / "deep").mkdir(parents=True)
    (site / MODULE / "__init__.py").write_text("raise SystemExit('imported')")
    scenes.script(torch.nn.Conv2d(3, 3, 1), site / MODULE / "deep" / "a.pt")
    (site / MODULE / "unlisted.pt").write_bytes(b"")
    (tmp_path / "outside.pt").write_bytes(b"")
    (site / MODULE / "link.pt").symlink_to(tmp_path / "outside.pt")
    files = ("__init__.py", "deep/a.pt", "link.pt", "../../outside.pt")
    list_files(site, "nets", [f"{MODULE}/{name}" for name in files])
    monkeypatch.syspath_prepend(str(site))
    yield site
    assert MODULE not in sys.modules


def test_a_file_is_found_by_the_list_of_its_package(site: Path) -> None:
    assert package_file(ADDRESS) == site / MODULE / "deep" / "a.pt"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{MODULE}/unlisted.pt", "nets installed no file unlisted.pt"),
        (f"{MODULE}/deep/b.pt", "nets installed no file deep/b.pt"),
        (f"{MODULE}/link.pt", "is a link out of"),
        (f"{MODULE}/../../outside.pt", "is followed by the name of a module"),
        (f"{MODULE}", "is followed by the name of a module"),
        ("nets/a.pt", "no package with the module nets is installed"),
        ("/etc/passwd", "is followed by the name of a module"),
    ],
)
def test_no_other_file_is_found(name: str, words: str, site: Path) -> None:
    with pytest.raises(ValueError, match=words):
        package_file(f"package://{name}")


def config(folder: Path) -> Path:
    scenes.scene(folder / "scene.tif", 60, 70)
    return scenes.config(folder, model={"path": ADDRESS, "classes": scenes.CLASSES[:3]})


def test_a_job_keeps_the_address_and_reads_the_file(site: Path, tmp_path: Path) -> None:
    path = config(tmp_path)
    job = prepare_job(load_config(path))
    assert job.config.model.path == site / MODULE / "deep" / "a.pt"
    assert job.meta()["config"]["model"]["path"] == ADDRESS
    frozen = freeze(job, path, tmp_path / "frozen.yaml")
    assert ADDRESS in frozen.read_text()
    assert str(site) not in frozen.read_text()
    assert prepare_job(load_config(frozen)).plan.tiles == job.plan.tiles


def test_a_package_that_is_not_installed_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"model\.path is .*no package with the module {MODULE} is installed"):
        load_config(config(tmp_path))


def test_init_takes_an_address(site: Path, folder: Path) -> None:
    assert ADDRESS in suggest(ADDRESS, str(folder / "scene.tif"), folder).text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes.scene(tmp_path / "scene.tif")
    return tmp_path
