"""What a training is told before it begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pyproj import CRS

from pipeline.config import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.train.preflight import check_devices, common_pixel_size, training_warnings

UTM = CRS.from_epsg(32633).to_wkt()


def scene(name: str, size: float, wkt: str | None = UTM) -> Any:
    """A scene of 9 × 9 px of so many metres."""
    grid = Grid(height=9, width=9, transform=(size, 0, 5e5, 0, -size, 4e6), wkt=wkt)
    area = Window(row=0, col=0, height=9, width=9)
    return SimpleNamespace(image=SimpleNamespace(grid=grid), name=name, area=area, validation_cells=())


def counts(*scenes: Any) -> Any:
    return SimpleNamespace(scenes=scenes, total=np.array([], dtype=int), places=[(0, (0, 0))])


def test_the_pixel_size_of_a_training_is_that_of_its_scenes_where_they_agree() -> None:
    assert common_pixel_size([scene("a", 10), scene("b", 11)]) == 10.5
    assert common_pixel_size([scene("a", 10), scene("b", 30)]) is None
    assert common_pixel_size([scene("a", 10), scene("b", 10, wkt=None)]) is None


def test_scenes_of_two_pixel_sizes_are_told() -> None:
    judge = counts(scene("c", 10, wkt=None))
    (line,) = training_warnings(counts(scene("a", 10), scene("b", 30)), judge, [])
    assert "pixels from 10 to 30 m" in line
    assert not list(training_warnings(counts(scene("a", 10), scene("b", 10)), judge, []))


def test_more_devices_than_blocks_that_judge_are_refused() -> None:
    training = TrainingConfig.model_validate({"scenes": [{"path": "a.tif", "labels": {"path": "b.tif"}}], "devices": 2})
    with pytest.raises(ConfigError, match=r"devices is 2, but only 1 blocks judge"):
        check_devices(training, torch.nn.Conv2d(1, 1, 1), counts())
