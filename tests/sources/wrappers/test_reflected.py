"""A source that is mirrored at the raster's edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.wrappers.reflected import Reflected, mirrored
from tests import scenes


@pytest.mark.parametrize("length", [1, 2, 5])
def test_places_far_outside_are_mirrored_again_and_again(length: int) -> None:
    expected = np.pad(np.arange(length), 14, mode="reflect" if length > 1 else "edge")
    assert mirrored(np.arange(-14, length + 14), length).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "window",
    [
        Window(row=-8, col=-5, height=40, width=50),
        Window(row=18, col=25, height=14, width=20),
        Window(row=19, col=-3, height=30, width=60),
        Window(row=2, col=3, height=4, width=5),
    ],
)
def test_what_lies_outside_is_what_lies_as_far_inside_with_whether_it_is_valid(window: Window, tmp_path: Path) -> None:
    data = scenes.position(20, 30)
    data[:, 3:6, 25:28] = 0
    source = open_source(SourceConfig(path=str(scenes.write(tmp_path / "scene.tif", data, nodata=0))))
    pixels = Reflected(source=source).read(window)
    at = slice(window.row + 40, window.rows.stop + 40), slice(window.col + 40, window.cols.stop + 40)
    expected = np.pad(data, [(0, 0), (40, 40), (40, 40)], mode="reflect")[(slice(None), *at)]
    assert pixels.valid.tolist() == (expected[0] != 0).tolist()
    assert (pixels.data[:, pixels.valid] == expected[:, pixels.valid]).all()
    assert pixels.causes is None or (~pixels.valid[pixels.causes > 0]).all()
