from __future__ import annotations

import pytest

from tests import scenes
from tests.faults import harness


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> harness.Calm:
    """What every run must come to, whatever befalls it."""
    folder = tmp_path_factory.mktemp("calm")
    raster = scenes.scene(folder / "scene.tif")
    report = harness.again(harness.config(folder, raster))
    made = harness.Calm(raster, harness.digest(folder / "job.zarr"))
    assert report.complete
    assert sum("/c/" in name for name in made.files) > 40
    return made
