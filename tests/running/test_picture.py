"""What a run leaves of its source: the same whatever interrupts it, and nothing where it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.geometry.window import Window
from pipeline.inference import block_task
from pipeline.planning.prepare import prepare_job
from pipeline.store import picture_spec
from pipeline.store.picture import open_picture
from pipeline.store.respec import read_spec
from tests import scenes
from tests.runs import everything, go


def written(folder: Path, name: str = "job") -> tuple[np.ndarray, np.ndarray]:
    picture = open_picture(folder / f"{name}.zarr")
    assert picture is not None
    return picture.read(Window(row=0, col=0, height=picture.height, width=picture.width))


def test_a_run_keeps_the_means_of_what_it_read_also_when_it_died_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_spec, "MAX_COPY", 100)
    path = scenes.config(tmp_path, execution={"engine": "serial"})
    real, calls = block_task.write_block, []

    def dies(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(block_task, "write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        go(path)
    monkeypatch.setattr(block_task, "write_block", real)
    go(path)
    raw = rasterio.open(tmp_path / "scene.tif").read()
    squares = raw.reshape(3, 150, 2, 210, 2).astype(float)
    count = (squares[0] > 0).sum(axis=(1, 3))
    means = np.rint(squares.sum(axis=(2, 4)) / np.maximum(count, 1))
    values, valid = written(tmp_path)
    assert (values == means).all()
    assert (valid == (count > 0)).all()
    spec = read_spec(tmp_path / "job.zarr").picture
    assert spec == prepare_job(load_config(path)).spec.picture
    before = everything(tmp_path / "job.zarr")
    go(path, "output.picture=false")  # it is the store's, and decided when that was made
    assert {name for name, data in everything(tmp_path / "job.zarr").items() if data != before[name]} <= {
        "job.zarr/zarr.json",
    }


def test_a_store_that_must_not_keeps_no_picture_and_has_the_same_layers_and_fingerprint(tmp_path: Path) -> None:
    go(scenes.config(tmp_path, "with"))
    go(scenes.config(tmp_path, "without", output={"picture": False}))
    stores = [everything(tmp_path / f"{name}.zarr") for name in ("with", "without")]
    chunks = [
        {key.partition("/")[2]: data for key, data in files.items() if "/c/" in key and "picture" not in key}
        for files in stores
    ]
    assert chunks[0] == chunks[1]
    assert not any("picture" in key for key in stores[1])
    roots = [
        json.loads(files[f"{name}.zarr/zarr.json"]) for name, files in zip(("with", "without"), stores, strict=True)
    ]
    prints = [root["attributes"]["wholecloth"]["fingerprint"] for root in roots]
    assert prints[0] == prints[1]
    assert open_picture(tmp_path / "without.zarr") is None


def test_a_picture_shows_the_bands_that_are_named_or_red_green_and_blue(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)

    def bands(*overrides: str) -> tuple[int, ...]:
        spec = prepare_job(load_config(path, list(overrides))).spec.picture
        assert spec is not None
        return spec.bands

    assert bands() == (0, 1, 2)
    assert bands("output.picture=[2]") == (1,)
    with pytest.raises(ConfigError, match="band 4, but 3 bands are read"):
        bands("output.picture=[1, 2, 4]")
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp[name] for name in ("blue", "green", "red")]
    assert bands() == (2, 1, 0)
