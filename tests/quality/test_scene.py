"""A store that is opened in Python, and how notebooks show it."""

from __future__ import annotations

import base64
import io
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from PIL import Image

import pipeline
from pipeline.geometry.shards import Shard
from pipeline.quality import scene_html, scene_summary
from pipeline.store.spec import ClassRow
from tests import runs, scenes

NAMES = ["<script>alert(1)</script>", "b & c", '"quoted"', "ordinary"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store whose names of classes are markup."""
    folder = tmp_path_factory.mktemp("scene")
    classes = [{**row, "name": name} for row, name in zip(scenes.CLASSES, NAMES, strict=True)]
    runs.go(scenes.config(folder, model={"classes": classes}, output={"layers": ["mask", "confidence"]}))
    return folder / "job.zarr"


def picture_of(html: str) -> Image.Image:
    (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def shown(store: Path, level: int = 0) -> str:
    html: str = pipeline.open(store, level)._repr_html_()
    return html


def test_a_scene_is_a_dataset_that_knows_its_store(store: Path) -> None:
    scene = pipeline.open(store, 1)
    assert isinstance(scene, xarray.Dataset)
    assert (scene.path, scene.complete, scene.layers) == (store, True, ("confidence", "mask"))
    assert (scene.grid.height, scene.grid.code) == (150, "EPSG:32633")
    assert [row.name for row in scene.classes] == NAMES
    assert pickle.loads(pickle.dumps(scene)).path == store


def test_areas_are_those_of_every_pixel(store: Path) -> None:
    mask, rows = scenes.whole(store.parent), pipeline.open(store, 1).areas()
    assert [row.pixels for row in rows] == [int((mask == code).sum()) for code in range(4)]
    assert sum(row.area for row in rows) == pytest.approx(100 * (mask != 255).sum(), rel=2e-3)


def test_the_picture_has_the_colours_of_classes_over_nothing(store: Path) -> None:
    picture = np.asarray(picture_of(shown(store)).convert("RGBA"))
    level_1 = pipeline.open(store, 1).mask.to_numpy()
    assert picture.shape[:2] == level_1.shape
    assert ((picture[..., 3] == 0) == (level_1 == 255)).all()
    for row in pipeline.open(store).classes:
        assert (picture[level_1 == row.code, :3] == row.rgb).all()


def test_facts_and_areas_are_shown_and_every_name_is_text(store: Path) -> None:
    html = shown(store)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    for text in ("300 × 420 px", "EPSG:32633", "complete", "all pixels of the scene; areas ellipsoidal", "km²", " %"):
        assert text in html
    pixels = int((scenes.whole(store.parent) == 0).sum())
    assert f"<td>{pixels:,}</td>" in html
    assert "xarray" in html


def test_areas_of_a_large_scene_are_of_an_overview_and_called_approximate(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_summary, "COUNTED_PIXELS", 80 * 110)
    html = shown(store)
    assert "approximate: counted in overview 2" in html
    mask = pipeline.open(store, 2).mask.to_numpy()
    assert f"<td>{16 * int((mask == 0).sum()):,}</td>" in html


def test_a_large_scene_without_overviews_is_not_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_summary, "COUNTED_PIXELS", 5)
    html = shown(store)
    assert "4; no overview is small enough to show" in html
    assert "<img" not in html


def test_a_part_of_a_scene_is_shown_as_xarray_shows_it(store: Path) -> None:
    part = pipeline.open(store).isel(y=slice(0, 5))
    assert "<img" not in part._repr_html_()
    assert "xarray" in part._repr_html_()
    with pytest.raises(AttributeError):
        _ = part.path


def test_a_store_that_is_gone_is_shown_as_text(store: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(store, tmp_path / "<i>copy.zarr")
    scene = pipeline.open(copy)
    shutil.rmtree(copy)
    html = scene._repr_html_()
    assert html.startswith("<pre>")
    assert "<i>" not in html
    assert "cannot be shown" in html
    assert "Traceback" not in html


def test_a_store_that_is_not_complete_says_how_far_it_is(tmp_path: Path) -> None:
    runs.go(scenes.config(tmp_path), shard=Shard(index=1, count=2))
    scene = pipeline.open(tmp_path / "job.zarr")
    assert not scene.complete
    assert re.search(r"not complete: \d+ of 12 blocks", scene._repr_html_())
    assert "<img" not in scene._repr_html_()


def test_a_store_of_numbers_has_facts_alone(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 100, 120)
    scenes.script(torch.nn.Conv2d(3, 1, 3, padding=1), tmp_path / "heights.pt")
    model: dict[str, Any] = {"path": str(tmp_path / "heights.pt"), "channels": ["height"], "classes": None}
    runs.go(scenes.config(tmp_path, model=model, output={"layers": ["values"]}))
    html = shown(tmp_path / "job.zarr")
    assert "values" in html
    assert "<img" not in html


def test_a_picture_of_noise_shrinks_until_it_is_small() -> None:
    codes = np.random.default_rng(0).integers(0, 255, (384, 384), dtype=np.uint8)
    classes = tuple(ClassRow(code=k, name=str(k), color=f"#{k:02x}{7 * k % 256:02x}80") for k in range(255))
    text = scene_summary._picture(codes, classes)
    assert len(text) <= scene_summary.PICTURE_BYTES
    assert Image.open(io.BytesIO(base64.b64decode(text))).width == 128


def test_many_classes_are_counted_and_not_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_html, "MAX_CLASSES", 1)
    assert "and 3 more" in shown(store)
