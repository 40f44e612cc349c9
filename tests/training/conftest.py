from pathlib import Path

import pytest

from pipeline.training.windows import Scene, scene
from tests import scenes


@pytest.fixture
def pair(tmp_path: Path) -> Scene:
    """Labels are 1 where the first band is above its middle: a task that one convolution can learn."""
    data = scenes.position(160, 200)
    label = (data[:1] > 80).astype("uint8")
    data[:, :20, :30] = 0
    raster = scenes.write(tmp_path / "a.tif", data, nodata=0)
    return scene(str(raster), str(scenes.write(tmp_path / "b.tif", label)))
