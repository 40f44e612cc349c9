"""The functions that programs and notebooks call."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xarray
import yaml

import pipeline
from pipeline.errors import ConfigError, ExtraError, StoreError
from tests import scenes
from tests.storage import BUCKET, Storage, reached

HEAVY = {"dask", "distributed", "numpy", "pydantic", "rasterio", "torch", "xarray", "zarr"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store at ``out/job.zarr``, and ``job.yaml`` that made it."""
    folder = tmp_path_factory.mktemp("api")
    path = scenes.config(folder, output={"path": str(folder / "out" / "job.zarr"), "layers": ["mask", "confidence"]})
    assert path.name == "job.yaml"
    assert pipeline.run(path).complete
    return folder


@pytest.mark.parametrize("name", [name for name in pipeline.__all__ if name not in ("Config", "PipelineError")])
def test_the_example_of_each_function_runs(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(pipeline, name), name)
    result = doctest.DocTestRunner().run(example)
    assert result.attempted >= 2
    assert not result.failed


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, pipeline; pipeline.open, pipeline.run; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(modules) & HEAVY


def test_a_dataset_has_the_mask_with_its_crs_nodata_and_class_names(folder: Path) -> None:
    scene = pipeline.open(folder / "out" / "job.zarr")
    assert (scene.mask.to_numpy() == scenes.whole(folder)).all()
    assert scene.mask.dtype == "uint8"
    assert scene.attrs["crs"] == "EPSG:32633"
    assert scene.attrs["nodata"] == 255
    assert scene.attrs["class_names"][0] == "a"
    assert scene.mask.chunks is not None
    assert scene.rio.crs.to_epsg() == 32633
    assert pipeline.open(str(folder / "out" / "job.zarr"), level=1).sizes["x"] == -(-scene.sizes["x"] // 2)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_mapping_is_a_config_with_paths_from_here(
    folder: Path, zarr_format: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections: dict[str, Any] = yaml.safe_load((folder / "job.yaml").read_text())
    sections["source"]["path"] = Path(sections["source"]["path"]).name
    sections["output"] |= {"path": Path(f"v{zarr_format}.zarr"), "zarr_format": zarr_format}
    monkeypatch.chdir(folder)
    assert pipeline.plan(sections)["blocks"]["count"] > 1
    assert pipeline.run(sections).complete
    assert (
        xarray.testing.assert_equal(pipeline.open(f"v{zarr_format}.zarr").mask, pipeline.open("out/job.zarr").mask)
        is None
    )


def test_every_error_of_the_commands_is_one_kind_with_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(pipeline.PipelineError) as error:
        pipeline.verify(tmp_path)
    assert error.value.exit_code == StoreError.exit_code == 2


def test_what_is_wrong_is_said_as_by_the_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="not a store"):
        pipeline.open(tmp_path)
    with pytest.raises(StoreError, match="no level 9"):
        pipeline.open(folder / "out" / "job.zarr", 9)
    with pytest.raises(StoreError, match="names no store"):
        pipeline.open("ftp://host/scene.zarr")
    with pytest.raises(ConfigError, match="the mapping"):
        pipeline.plan({"source": {}})
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ExtraError, match=r"wholecloth\[readers\]"):
        pipeline.open(folder / "out" / "job.zarr")


def test_the_config_is_there_and_nothing_else_is_made_up() -> None:
    assert pipeline.Config.model_fields.keys() >= {"source", "model", "output"}
    with pytest.raises(AttributeError, match="no attribute 'Konfig'"):
        _ = pipeline.Konfig


def test_a_store_on_object_storage_is_opened_by_its_url(folder: Path, s3: Storage) -> None:
    sections = yaml.safe_load((folder / "job.yaml").read_text())
    url = f"s3://{BUCKET}/api/scene.zarr"
    with reached(s3):
        pipeline.run({**sections, "output": {"path": url}})
        assert (pipeline.open(url).mask.to_numpy() == scenes.whole(folder)).all()
