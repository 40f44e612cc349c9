"""Every example of the guides runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import torch
import yaml
import zarr
from rasterio.features import shapes
from rasterio.transform import from_origin
from typer.testing import CliRunner

import pipeline
from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import networks, packages, scenes, vector_files
from tests.readers.samples import make_image

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ["mask", "confidence", "probabilities", "entropy"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the package that two configs name."""
    return packages.make_clouds(tmp_path_factory.mktemp("packages"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_configs_in_the_guides_are_valid(
    page: Path, clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(clouds))
    for text in blocks(page, "yaml"):
        (tmp_path / "job.yaml").write_text(text)
        assert load_config(tmp_path / "job.yaml").output.path.suffix == ".zarr"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores and labels of them, where the guides expect them."""
    folder = tmp_path_factory.mktemp("guides")
    for name, version in (("job", 3), ("old", 2)):
        path = scenes.config(
            folder,
            name,
            output={"path": str(folder / "out" / f"{name}.zarr"), "zarr_format": version, "layers": LAYERS},
        )
        with Progress() as progress:
            execute(prepare_job(load_config(path)), progress)
    mask = np.asarray(zarr.open_array(folder / "out" / "job.zarr" / "0" / "mask", mode="r")[:])
    write_heights(folder)
    make_image(folder / "slide.zarr", scenes.read(folder / "scene.tif"))
    scenes.write(folder / "labels.tif", mask[None])
    scenes.write(folder / "binary.tif", np.where(mask == 1, 255, 0)[None].astype("uint8"))
    found = [
        (outline, int(code))
        for outline, code in shapes(mask, mask != 255, transform=from_origin(500_000, 4_600_000, 10, 10))
    ]
    geometry, names = (
        shapely.to_wkb([shapely.geometry.shape(outline) for outline, _ in found]),
        np.array(["abcd"[code] for _, code in found]),
    )
    vector_files.write(
        folder / "labels.gpkg",
        geometry=geometry,
        field_data=[names],
        fields=["kind"],
        crs="EPSG:32633",
        driver="GPKG",
        geometry_type="Polygon",
    )
    field, name = (
        shapely.to_wkb([shapely.Polygon([(500_300, 4_599_800), (502_900, 4_599_300), (501_400, 4_597_900)])]),
        np.array(["north"]),
    )
    vector_files.write(
        folder / "field.gpkg",
        geometry=field,
        field_data=[name],
        fields=["name"],
        crs="EPSG:32633",
        driver="GPKG",
        geometry_type="Polygon",
    )
    for name, original in (("network.pt", "unet.pt"), ("region.tif", "scene.tif")):
        (folder / name).write_bytes((folder / original).read_bytes())
    (folder / "steps.yaml").write_text(blocks(ROOT / "docs" / "postprocess.md", "text")[0])
    write_ensemble(folder)
    (folder / "small.yaml").write_text(blocks(ROOT / "docs" / "training.md", "yaml")[0])
    return folder


def write_ensemble(folder: Path) -> None:
    """Two networks and the config of the guide."""
    for seed, name in enumerate(("first.pt", "second.pt")):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            scenes.script(networks.lively(networks.Twice()), folder / name)
    (folder / "ensemble.yaml").write_text(blocks(ROOT / "docs" / "ensembles.md", "yaml")[0])


def write_heights(folder: Path) -> None:
    """A store of two channels of numbers, and labels of both."""
    scenes.script(torch.nn.Conv2d(3, 2, 3, padding=1), folder / "heights.pt")
    model = {"path": str(folder / "heights.pt"), "channels": ["height", "biomass"]}
    output = {"path": str(folder / "out" / "heights.zarr"), "layers": ["values"]}
    with Progress() as progress:
        execute(prepare_job(load_config(scenes.config(folder, "heights", model=model, output=output))), progress)
    numbers = np.asarray(zarr.open_array(folder / "out" / "heights.zarr" / "0" / "values", mode="r")[:])
    scenes.write(folder / "numbers.tif", numbers + 1)
    scenes.write(folder / "height.tif", numbers[:1])


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=lambda p: p.name)
def test_commands_in_the_guides_run(page: Path, stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(stores, tmp_path / "guides")  # pages write files of one name
    monkeypatch.chdir(folder)
    for command in (line for block in blocks(page, "sh") for line in block.splitlines()):
        name, *args = shlex.split(command)
        done = CliRunner().invoke(app, args)
        assert name == "wholecloth"
        assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
        assert all(
            (folder / args[k + 1]).exists()
            for k, arg in enumerate(args)
            if arg in ("--png", "--html", "--profile", "--freeze")
        )


@pytest.mark.slow
def test_code_in_the_guides_runs_on_a_store(stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stores)
    ran = 0
    for page in PAGES:
        for code in blocks(page, "python"):
            exec(compile(code, page.name, "exec"), {})
            ran += 1
    assert ran >= 2


NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def cells(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_small_has_no_outputs_and_imports_the_package_alone() -> None:
    assert NOTEBOOK.stat().st_size < 20_000
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert re.findall(r"(?m)^(?:import|from) .*", "\n".join(cells("code"))) == ["import pipeline"]


@pytest.mark.slow
@pytest.mark.parametrize("has_weights", [False, pytest.param(True, marks=pytest.mark.nightly("jobs"))])
def test_the_notebook_leads_from_a_scene_to_areas(
    has_weights: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By day with a small scene and a network of one layer: to measure that of the weights takes half a minute."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path / "docs")
    layer = scenes.script(torch.nn.Conv2d(4, 5, 3, padding=1), tmp_path / "layer.pt")
    names: dict[str, Any] = {}
    for text in cells("code"):
        small = re.sub(r"size=\d+", "size=128", text).replace('"fcn8s"', '"torchscript"')
        small = small.replace('"../configs/weights/satellite.safetensors"', repr(str(layer)))
        assert small != text or "job = " not in text
        exec(compile(text if has_weights else small, NOTEBOOK.name, "exec"), names)
    assert names["report"].complete
    assert "<img" in names["scene"]._repr_html_()
    printed = capsys.readouterr().out
    assert len(re.findall(r"(?m)^(water|forest|fields|built-up|cloud) .* km²", printed)) == 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_import_nothing_deeper_than_the_package(page: Path) -> None:
    imports = re.findall(r"(?m)^[> ]*((?:from|import)\b.*\bpipeline\b.*)$", page.read_text())
    assert [line for line in imports if re.search(r"\bpipeline\.\w", line)] == []
    names = {
        name.strip()
        for line in imports
        if line.startswith("from pipeline")
        for name in line.split(" import ")[1].split(",")
    }
    assert names <= set(pipeline.__all__)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_open_with_their_command_and_are_valid(
    path: Path, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(clouds))
    text = path.read_text()
    assert f"python -m pipeline run configs/{path.name}" in text.split("\n\n")[0]
    said = load_config(path)
    assert said.model.path is not None
    assert said.model.path.exists() or said.training is not None
    assert yaml.safe_load(text)["output"]["path"].startswith("../out/")


@pytest.mark.slow
def test_the_config_of_clouds_runs_at_30_m_in_tiles_that_begin_before_the_scene(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(clouds))
    overrides = [f"output.path={tmp_path / 'clouds.zarr'}", "source.path=sample://satellite?size=1024"]
    job = prepare_job(load_config(ROOT / "configs" / "clouds.yaml", overrides))
    assert (job.source.grid.pixel_size, job.source.grid.height) == ((30, 30), 342)
    assert (job.plan.tiles.size, job.plan.tiles.pad, job.plan.tiles.near) == (256, "reflect", (51, 51))
    with Progress() as progress:
        assert execute(job, progress).complete
    mask = np.asarray(zarr.open_array(job.path / "0" / "mask", mode="r")[:])
    assert {*np.unique(mask)} == {0, 1, 2, 255}
    assert job.meta()["config"]["model"]["path"] == "package://ukis_csmask/model_4b_l1c.onnx"


@pytest.mark.slow
def test_the_medical_config_runs_in_micrometres(tmp_path: Path) -> None:
    job = prepare_job(load_config(ROOT / "configs" / "medical.yaml", [f"output.path={tmp_path / 'medical.zarr'}"]))
    with Progress() as progress:
        report = execute(job, progress)
    assert report.complete
    assert job.source.grid.unit == "um"
    assert [row.name for row in job.spec.classes] == ["background", "nuclei", "stained"]
