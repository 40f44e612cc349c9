"""All of a slide at low resolution is read from the coarsest level of use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.config import SourceConfig, TissueConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.lattice import pixel_lattice, read_lattice
from pipeline.sources.only import open_areas
from pipeline.sources.slide_files.coarse_slide import coarse_slide
from tests import slides

RGB = (0, 1, 2)


def ramps(side: int) -> np.ndarray:
    """(rows, cols, 3) uint8 whose numbers tell the place: means of them are those of the place's middle."""
    rows, cols = np.mgrid[:side, :side] * (255 / side)
    return np.dstack([rows, cols, (rows + cols) / 2]).astype("uint8")


def opened(path: Path, **keys: Any) -> Any:
    return open_source(SourceConfig(kind="slide", path=str(path), **keys))


@pytest.fixture(scope="module")
def svs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Levels of whole squares of 4 and 16 px; the last 12 px are in no square of 16."""
    image = ramps(1004)
    levels = [image, slides.squares(image, 4), slides.squares(image, 16)]
    return slides.aperio(tmp_path_factory.mktemp("svs") / "a.svs", levels, mpp=0.25, compression="zlib", predictor=True)


@pytest.mark.parametrize(
    ("keys", "step", "level", "side"),
    [
        ({}, 32, 2, 2),
        ({}, 40, 2, 2),
        ({}, 15, 1, 3),
        ({"level": 1}, 8, 2, 2),
        ({"mpp": 0.7}, 12, 2, 2),
        ({"mpp": 2.0}, 2, 2, 1),
        ({}, 3, None, None),
        ({"level": 2}, 32, None, None),
    ],
)
def test_cells_are_means_of_the_coarsest_level_that_is_no_coarser(
    svs: Path, keys: dict[str, Any], step: int, level: int | None, side: int | None
) -> None:
    source = opened(svs, **keys)
    coarse = coarse_slide(source, step)
    assert (coarse and (coarse.source.level.index, coarse.side)) == (level and (level, side))
    lattice, full = read_lattice(source, RGB, step), pixel_lattice(source, RGB, step)
    assert (lattice.data.shape, lattice.scale) == (full.data.shape, full.scale)
    assert lattice.valid.all()
    assert np.abs(lattice.data - full.data)[:, :-1, :-1].max() < 1.2
    assert np.abs(lattice.data - full.data).max() < 255 / 1004 * 24 + 1.2  # what is in no square is its neighbour
    assert lattice.origin.startswith(f"the slide's level {level}" if level else "means of")


def test_what_was_never_scanned_is_no_cell(tmp_path: Path) -> None:
    tile, path = np.full((128, 128, 3), 200, np.uint8), tmp_path / "a.tif"
    how: dict[str, Any] = {"dtype": "uint8", "tile": (128, 128), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path) as file:
        for shape, count in ((1024, 64), (256, 4)):
            scanned = (None if k >= count // 2 else tile for k in range(count))
            file.write(scanned, shape=(shape, shape, 3), metadata=None, **how)
    lattice = read_lattice(opened(path), RGB, 16)
    assert lattice.origin.startswith("the slide's level 1")
    assert (lattice.valid == (np.arange(64) < 32)[:, None]).all()
    assert (lattice.data[:, :32] == 200).all()


def test_tissue_is_what_the_level_shows(tmp_path: Path) -> None:
    glass = np.full((1024, 1024, 3), (243, 241, 244), np.uint8)
    coarse = glass[::16, ::16].copy()
    coarse[20:40, 30:50] = 226, 160, 196
    path = slides.aperio(tmp_path / "a.svs", [glass, glass[::4, ::4].copy(), coarse], mpp=0.5, compression="zlib")
    config = SourceConfig(kind="slide", path=str(path), only="tissue", tissue=TissueConfig(min_area="100 px"))
    areas = open_areas(config, open_source(config))
    assert areas.area is not None
    expected = np.zeros((64, 64), bool)
    expected[20:40, 30:50] = True
    asked = areas.area.read(Window(row=0, col=0, height=1024, width=1024))
    assert (asked == expected.repeat(16, 0).repeat(16, 1)).all()
    assert any("on the slide's level 2, 16 px of level 0 per px" in note for note in areas.area.notes)


def test_a_level_that_cannot_be_read_is_named(svs: Path, tmp_path: Path) -> None:
    raw = bytearray(svs.read_bytes())
    with tifffile.TiffFile(svs) as file:
        page = file.pages[3]
        raw[page.dataoffsets[0] : page.dataoffsets[0] + page.databytecounts[0]] = bytes(page.databytecounts[0])
    (tmp_path / "a.svs").write_bytes(raw)
    with pytest.raises(SourceError, match=r"cannot be read at low resolution: .*a\.svs .*tile 0: .* Mend the file"):
        read_lattice(opened(tmp_path / "a.svs"), RGB, 32)
