from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.config import LabelsConfig, SceneConfig, SourceConfig
from pipeline.config.load import load_config
from pipeline.store.spec import ClassRow
from pipeline.train.scenes import Scene, open_scene
from tests import scenes

ROWS = (ClassRow(code=0, name="low", color="#000000"), ClassRow(code=1, name="high", color="#ffffff"))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An image of 160 × 200 px whose corner is nodata, and labels that are 1 where its first band is above 80.

    One convolution can learn it.
    """
    data = scenes.position(160, 200)
    label = (data[:1] > 80).astype("uint8")
    data[:, :20, :30] = 0
    return scenes.write(tmp_path / "image.tif", data, nodata=0), scenes.write(
        tmp_path / "labels.tif", label, nodata=255
    )


@pytest.fixture
def scene(pair: tuple[Path, Path]) -> Scene:
    return opened(pair)


def opened(pair: tuple[Path, Path], area: list[int] | None = None, block: int = 32) -> Scene:
    said = SceneConfig(path=str(pair[0]), labels=LabelsConfig(path=str(pair[1])), area=area)
    return open_scene(said, SourceConfig(path="unused"), ROWS, block)


@pytest.fixture
def job(tmp_path: Path, pair: tuple[Path, Path]) -> Callable[..., Path]:
    """Writes a config of a training that takes a second or two."""

    def write(name: str = "net", **training: Any) -> Path:
        scene = {"path": str(pair[0]), "labels": {"path": str(pair[1])}}
        said = {
            "source": {"path": str(pair[0])},
            "model": {
                "kind": "fcn",
                "path": str(tmp_path / f"{name}.safetensors"),
                "args": {"width": 4, "output_stride": 2},
                "classes": [{"name": "low"}, {"name": "high"}],
                "input": {"mean": 80, "std": 60},
            },
            "output": {"path": str(tmp_path / f"{name}.zarr"), "chunk": 64},
            "execution": {"device": "cpu", "engine": "serial"},
            "training": {
                "scenes": [scene],
                "validation": {"share": 0.25, "block": 32},
                "rounds": 3,
                "steps": 4,
                "window": 32,
                "batch": 4,
                **training,
            },
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(said))
        return path

    return write


@pytest.fixture
def config(job: Callable[..., Path]) -> Any:
    return load_config(job())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
