"""Scenes of every kind: `init` sees which they are, and its config opens them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, SourceError
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.first_config.suggestion import UserHints, suggest
from pipeline.sources import open_source
from tests import networks, products, scenes, slides
from tests.sources import catalogue


def suggested(folder: Path, scene: Path | str, model: Path | None = None, **hints: Any) -> tuple[str, Config]:
    """The text of a first config, and what a job loads of it."""
    path = model or scenes.script(networks.Twice(), folder / "network.pt")
    text = suggest(path, str(scene), folder, None, UserHints(**hints)).text
    (folder / "first.yaml").write_text(text)
    config = load_config(folder / "first.yaml")
    assert open_source(config.source).bands == 3
    return text, config


def product(folder: Path) -> Path:
    return products.safe(folder)


def item(folder: Path) -> Path:
    pytest.importorskip("pystac_client")
    return catalogue.scene(folder / "items")


@pytest.mark.parametrize(
    ("make", "bands", "words"),
    [
        (product, ["red", "green", "blue"], "GUESS: the network takes 3 bands and the scene has 7"),
        (item, ["red", "green", "nir"], "GUESS: the bands in the order of the scene"),
    ],
)
def test_bands_with_names_are_guessed_and_listed(
    make: Callable[[Path], Path], bands: list[str], words: str, tmp_path: Path
) -> None:
    text, config = suggested(tmp_path, make(tmp_path))
    assert config.source.bands == bands
    assert words in text
    assert re.search("bands to choose from: (B01 .coastal., B02 .blue.|red, green, nir)", text)


def test_the_bands_of_the_training_are_taken_where_the_scene_has_them(tmp_path: Path) -> None:
    args = {"bands": 3, "classes": 2, "width": 4, "fc_kernel": 3, "fc_width": 4}
    meta = ModelMeta(kind="fcn8s", args=args, bands=["swir16", "B08", "red"])
    save(tmp_path / "a.safetensors", networks.lively(FCN8s(**args)), meta)  # type: ignore[arg-type]
    text, config = suggested(tmp_path, products.safe(tmp_path), tmp_path / "a.safetensors")
    assert config.source.bands == ["swir16", "B08", "red"]
    assert "the bands of its training" in text


def test_bands_may_be_asked_for_by_name(tmp_path: Path) -> None:
    text, config = suggested(tmp_path, products.safe(tmp_path), bands=["nir", "B04", "green"])
    assert config.source.bands == ["nir", "B04", "green"]
    assert "given: --bands" in text


def test_a_template_takes_the_bands_that_are_asked_for(tmp_path: Path) -> None:
    for band in (1, 2, 3):
        scenes.write(tmp_path / f"B{band}.tif", scenes.position(40, 50, 1))
    _, config = suggested(tmp_path, tmp_path / "B{band}.tif", bands=[3, 1, 2])
    assert (config.source.kind, config.source.bands) == ("bands", [3, 1, 2])
    with pytest.raises(SourceError, match="there are 1, 2, 3"):
        suggested(tmp_path, tmp_path / "B{band}.tif")


def test_arrays_take_what_is_selected(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.stack([scenes.position(40, 50), scenes.position(40, 50)]))
    hints = {"axes": "tcyx", "select": {"t": 1}}
    text, config = suggested(tmp_path, tmp_path / "cube.npy", source=hints)
    assert (config.source.kind, config.source.select) == ("zarr", {"t": 1})
    assert text.count("given: --source") == 2


def test_a_slide_is_read_at_the_size_that_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    path = slides.aperio(tmp_path / "a.svs", [slides.tissue(300)])
    _, config = suggested(tmp_path, path, source={"mpp": 1.0})
    assert (config.source.kind, config.source.mpp, config.source.level) == ("slide", 1.0, None)


def test_the_sample_of_a_slide_is_a_slide(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    _, config = suggested(tmp_path, "sample://slide?seed=104&size=64", source={"mpp": 2.0})
    assert (config.source.kind, config.source.path) == ("slide", "sample://slide?seed=104&size=64")


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        ({"source": {"path": "b.tif"}}, "--source names path, which the argument SCENE says"),
        ({"source": {"bands": [1]}}, "--source names bands, which --bands says"),
        ({"source": {"nodatta": 0}}, r"source.nodatta is not a key of the config \(did you mean nodata\?\)"),
        ({"source": {"kind": "rastre"}}, "source.kind is 'rastre'"),
        ({"bands": ["red"]}, "'red' is no number"),
    ],
)
def test_a_wrong_key_is_told_before_anything_is_opened(hints: dict[str, Any], words: str, folder: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        suggested(folder, folder / "scene.tif", **hints)
