"""Every example of the guides runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipeline.load_config import load
from pipeline.progress import Progress
from pipeline.run import execute, prepare
from tests import scenes

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_configs_in_the_guides_are_valid(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        (tmp_path / "job.yaml").write_text(text)
        assert load(tmp_path / "job.yaml").output.path.suffix == ".zarr"


def test_code_in_the_guides_runs_on_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("job", 3), ("old", 2)):
        path = scenes.config(tmp_path, name, output={"path": str(tmp_path / "out" / f"{name}.zarr"), "zarr_format": version})
        with Progress() as progress:
            execute(prepare(load(path)), progress)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for page in PAGES:
        for code in blocks(page, "python"):
            exec(compile(code, page.name, "exec"), {})
            ran += 1
    assert ran >= 2


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_the_guides_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_open_with_their_command_and_are_valid(path: Path) -> None:
    text = path.read_text()
    assert f"python -m pipeline run configs/{path.name}" in text.split("\n\n")[0]
    said = load(path)
    assert said.model.path is not None
    assert said.model.path.exists()
    assert yaml.safe_load(text)["output"]["path"].startswith("../out/")


@pytest.mark.slow
def test_the_medical_config_runs_in_micrometres(tmp_path: Path) -> None:
    job = prepare(load(ROOT / "configs" / "medical.yaml", [f"output.path={tmp_path / 'medical.zarr'}"]))
    with Progress() as progress:
        report = execute(job, progress)
    assert report.complete
    assert job.source.grid.unit == "um"
    assert [row.name for row in job.spec.classes] == ["background", "nuclei", "stained"]
