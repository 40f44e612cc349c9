"""What is seen of a scene, and guessed from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.inspect.scene_values import sample
from pipeline.sources import open_source
from tests import scenes
from tests.planning.first_config.first import written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes.scene(tmp_path / "scene.tif")
    return tmp_path


def test_values_are_those_of_valid_pixels(folder: Path) -> None:
    data = scenes.read(folder / "scene.tif")
    valid = data[:, (data != 0).any(0)]
    scenes.unet(folder)
    made, config = written(folder, "unet.pt")
    said = re.findall(r"band \d: (\S+) … (\S+), mean (\S+), deviation (\S+)", made.text)
    for k, (low, high, mean, std) in enumerate(said):
        assert float(low) == valid[k].min() > 0
        assert float(high) == valid[k].max()
        assert float(mean) == pytest.approx(valid[k].mean(), rel=1e-3)
        assert float(std) == pytest.approx(valid[k].std(), rel=5e-3)
    assert len(said) == 3
    assert config.model.input is not None
    assert config.model.input.mean == pytest.approx([float(mean) for _, _, mean, _ in said], rel=1e-3)


@pytest.mark.slow
def test_a_large_scene_is_sampled_on_a_lattice_from_edge_to_edge(tmp_path: Path) -> None:
    source = open_source(SourceConfig(path=str(scenes.write(tmp_path / "scene.tif", scenes.position(3000, 1100)))))
    values = sample(source)
    assert values.share == 1
    assert (values.low[0], values.high[0]) == (1, 997)
    assert values.mean[1] == pytest.approx(np.mean(1 + np.arange(1100) % 991), rel=0.1)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "expected"),
    [
        ("uint8", 0, 255, {"scale": 1 / 255}),
        ("uint16", 200, 9000, {"scale": 1e-4}),
        ("int16", 200, 9000, {"scale": 1e-4}),
        ("float32", 0, 1, {}),
        ("uint16", 7, 7, {"mean": 7, "std": 1}),
        ("float32", -20, 5, {"mean": -7.5, "std": 7.2}),
    ],
)
def test_the_guess_follows_type_and_range(
    dtype: str, low: float, high: float, expected: dict[str, float], tmp_path: Path
) -> None:
    data = np.random.default_rng(0).uniform(low, high, (3, 400, 300))
    data[:, 0, :2] = low, high
    scenes.write(tmp_path / "scene.tif", data.astype(dtype))
    scenes.unet(tmp_path)
    made, config = written(tmp_path, "unet.pt")
    assert "GUESS: " in made.text
    assert config.model.input is not None
    said = config.model.input
    for key, value in expected.items():
        assert np.allclose(getattr(said, key), value, rtol=0.02), (key, getattr(said, key))
    assert set(said.model_fields_set) == set(expected)


def test_a_scene_that_cannot_be_read_is_refused_as_a_source(tmp_path: Path) -> None:
    scenes.unet(tmp_path)
    whole = scenes.scene(tmp_path / "scene.tif").read_bytes()
    (tmp_path / "scene.tif").write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    with pytest.raises(SourceError, match=r"scene\.tif.*Mend the file, or give another SCENE"):
        written(tmp_path, "unet.pt")


def test_a_scene_without_a_valid_pixel_gives_no_guess(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 40, 50), "uint16"), nodata=0)
    scenes.unet(tmp_path)
    made, config = written(tmp_path, "unet.pt")
    assert "no valid pixel was seen" in made.text
    assert config.model.input is not None
    assert not config.model.input.model_fields_set
