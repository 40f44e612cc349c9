"""Jobs whose colours are brought to those of a reference: found once on tissue, whatever is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from pipeline.config import NormaliseConfig, SourceConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, SourceError, StoreError
from pipeline.inference.colour_transfer import ColourTransfer
from pipeline.interfaces import Source
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.planning.stains import stain_transfer
from pipeline.sources import open_source
from pipeline.sources.only import open_areas
from pipeline.statistics.colours import count_colours
from pipeline.statistics.stains import macenko
from tests import runs, scenes, slides
from tests.statistics.stained import VECTORS, angle, tissue

pytest.importorskip("skimage")
KEY = "model.input.normalise"
MPP = 0.5
GREEN = (20, 160, 60)
"""Ink of a pen."""


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Tissue on glass, with a stroke of a pen."""
    image = tissue(700, grain=6)
    image[20:60, 40:660] = GREEN
    return image


@pytest.fixture(scope="module")
def slide(image: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slide") / "a.svs"
    return slides.aperio(path, [image, slides.squares(image, 4)], mpp=MPP)


def transfer(path: Path, normalise: Any = None, **source: Any) -> ColourTransfer:
    """What is found of a slide."""
    config = SourceConfig(path=str(path), **{"kind": "slide", **source})
    opened = open_source(config)
    return stain_transfer(
        NormaliseConfig(**(normalise or {"method": "macenko"})), config, opened, open_areas(config, opened)
    )


def config(folder: Path, source: dict[str, Any], normalise: Any, **model: Any) -> Path:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1)).eval()
    with torch.no_grad():
        network[0].weight[:, :, 0, 0] = torch.tensor([[0.01013, 0.00031, -0.0097], [0.00017, 0.0107, 0.0]])
        network[0].bias[:] = torch.tensor([1.3917, 0.0])
    sections = {"path": str(scenes.script(network, folder / "net.pt")), "classes": scenes.CLASSES[:2], **model}
    return scenes.config(folder, source=source, model={**sections, "input": {"normalise": normalise}})


def planned(path: Path) -> Job:
    return prepare_job(load_config(path))


def test_the_stains_are_those_of_level_0_whatever_is_read(slide: Path, image: np.ndarray) -> None:
    found = transfer(slide, mpp=1)
    assert found.record == transfer(slide).record == transfer(slide, level=1).record == transfer(slide, mpp=8).record
    assert found.record["um_per_px"] == 2
    assert found.record["pixels"] > 10_000
    finest = macenko.macenko_numbers(macenko.stained(count_colours([image[100:].reshape(-1, 3).T])))
    for k in range(2):
        assert angle(found.record["stain"]["vectors"][k], finest["vectors"][k]) < 2
        assert angle(found.record["stain"]["vectors"][k], VECTORS[k]) < 2


def test_a_stored_level_of_that_size_does_not_count_since_its_colours_are_coarser(
    slide: Path, image: np.ndarray, tmp_path: Path
) -> None:
    redder = (slides.squares(image, 4) * (1, 0.9, 0.8)).astype(np.uint8)
    path = slides.aperio(tmp_path / "a.svs", [image, redder], mpp=MPP)
    vectors, expected = (transfer(one).record["stain"]["vectors"] for one in (path, slide))
    assert max(angle(*pair) for pair in zip(vectors, expected, strict=True)) < 0.5


def test_a_raster_is_reduced_by_whole_pixels(image: np.ndarray, tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.moveaxis(image, -1, 0), crs=None, transform=None)
    found = transfer(path, kind="raster", pixel_size=MPP)
    assert found.record["um_per_px"] == 2
    cells = slides.squares(image, 4)[30:]
    expected = macenko.macenko_numbers(macenko.stained(count_colours([cells.reshape(-1, 3).T])))
    assert max(angle(*pair) for pair in zip(found.record["stain"]["vectors"], expected["vectors"], strict=True)) < 0.5
    assert transfer(path, kind="raster").record["um_per_px"] is None


def test_marks_of_pens_do_not_count(slide: Path, image: np.ndarray, tmp_path: Path) -> None:
    clean = image.copy()
    clean[20:60, 40:660] = 245
    path = slides.aperio(tmp_path / "clean.svs", [clean, slides.squares(clean, 4)], mpp=MPP)
    with_pen, without = (np.array(transfer(one).record["stain"]["vectors"]) for one in (slide, path))
    assert max(angle(*pair) for pair in zip(with_pen, without, strict=True)) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_the_mask_is_that_of_the_slide_whose_colours_were_changed_beforehand(
    method: str, slide: Path, tmp_path: Path
) -> None:
    source = {"kind": "slide", "path": str(slide)}
    path = config(tmp_path, source, {"method": method})
    job = planned(path)
    runs.go(path)
    whole = _whole(job.source)
    assert isinstance(job.stretch, ColourTransfer)
    job.stretch.apply_to(whole)
    network = torch.jit.load(tmp_path / "net.pt")
    labels = network(whole[None])[0].argmax(0).numpy()
    assert 0.1 < labels.mean() < 0.9
    assert (zarr.open(tmp_path / "job.zarr", mode="r")["0/mask"][:] == labels).all()
    assert planned(path).fingerprint[KEY] == job.fingerprint[KEY]
    assert f"stains by {method.title()}" in str(plan_rows(job)) or f"colours by {method.title()}" in str(plan_rows(job))
    with pytest.raises(StoreError, match=r"model\.input\.normalise"):
        planned(config(tmp_path, source, {"method": method, "over": "raster", "target": OTHER[method]}))


OTHER = {
    "macenko": {"vectors": [[0.6, 0.7, 0.4], [0.2, 0.8, 0.5]], "maxima": [1.5, 1.0]},
    "reinhard": {"mean": [8, 0, 0], "std": [0.5, 0.1, 0.1]},
}


def _whole(source: Source) -> torch.Tensor:
    """(3, rows, cols) float32."""
    from pipeline.geometry.window import Window

    window = Window(row=0, col=0, height=source.grid.height, width=source.grid.width)
    return torch.from_numpy(source.read(window).data).to(torch.float32)


def test_numbers_that_are_given_are_taken_without_a_look(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.planning.stains.count_colours", pytest.fail)
    found = transfer(slide, {"method": "macenko", "stain": OTHER["macenko"]})
    assert found.record["stain"] == OTHER["macenko"]
    assert "pixels" not in found.record


@pytest.mark.parametrize(
    ("normalise", "words"),
    [
        ({"method": "macenko", "clip": True}, "clip means nothing"),
        ({"method": "macenko", "low": 1}, "low means nothing"),
        ({"method": "macenko", "stain": OTHER["reinhard"]}, "stain of macenko holds vectors and maxima"),
        ({"method": "reinhard", "target": OTHER["macenko"]}, "target of reinhard holds mean and std"),
        ({"method": "percentile", "stain": OTHER["macenko"]}, "stain is of macenko and reinhard"),
        ({"method": "macenko", "stain": OTHER["macenko"], "over": "tissue"}, "Leave one of them out"),
        ({"method": "reinhard", "stain": {"mean": [1, 2, 3], "std": [1, 0, 1]}}, "above 0"),
        ({"method": "macenko", "stain": {"vectors": [[1, 2, 3]], "maxima": [1, 1]}}, "vectors"),
    ],
)
def test_keys_that_contradict_are_told(normalise: Any, words: str, slide: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(config(tmp_path, {"kind": "slide", "path": str(slide)}, normalise))


def test_what_holds_no_stains_is_refused(slide: Path, image: np.ndarray, tmp_path: Path) -> None:
    small = slides.aperio(tmp_path / "small.svs", [np.ascontiguousarray(image[200:500, 200:500])], mpp=MPP)
    with pytest.raises(SourceError, match=r"px of stained tissue in .*small\.svs at 2 µm per px, and needs 10,000"):
        transfer(small)
    with pytest.raises(SourceError, match=r"a pixel of .*a\.svs is 5 µm wide"):
        transfer(slide, pixel_size=5)
    wide = scenes.write(tmp_path / "wide.tif", np.moveaxis(image, -1, 0).astype(np.uint16))
    with pytest.raises(ConfigError, match="3 bands of uint16 are read"):
        transfer(wide, kind="raster")
    four = scenes.write(tmp_path / "four.tif", scenes.position(50, 50, 4))
    with pytest.raises(ConfigError, match="4 bands of"):
        transfer(four, kind="raster", bands=[1, 2, 3, 4])
