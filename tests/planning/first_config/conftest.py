from __future__ import annotations

from pathlib import Path

import pytest

from tests import scenes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes.scene(tmp_path / "scene.tif")
    return tmp_path
