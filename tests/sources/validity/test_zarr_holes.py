from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests import scenes
from tests.sources.validity.test_validity import everything, notes


def mosaic(folder: Path, places: list[tuple[int, int]], nodata: str = "") -> Path:
    """A VRT of 40 × 60 px with a file of 10 × 10 px at each place."""
    scenes.write(folder / "part.tif", np.zeros((1, 10, 10), "uint8"))
    one = (
        "<SimpleSource><SourceFilename "
        'relativeToVRT="1">part.tif</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" '
        'xSize="10" ySize="10"/>'
    )
    sources = "".join(
        f'{one}<DstRect xOff="{col}" yOff="{row}" xSize="10" ySize="10"/></SimpleSource>' for row, col in places
    )
    path = folder / "a.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="60" rasterYSize="40"><VRTRasterBand dataType="Byte" '
        f'band="1">{nodata}{sources}</VRTRasterBand></VRTDataset>'
    )
    return path


def covered(places: list[tuple[int, int]]) -> np.ndarray:
    there = np.zeros((40, 60), bool)
    for row, col in places:
        there[row : row + 10, col : col + 10] = True
    return there


def test_where_no_file_of_a_mosaic_lies_is_nodata(tmp_path: Path) -> None:
    places = [(0, 0), (5, 30), (30, 50)]
    path = mosaic(tmp_path, places)
    assert (everything(path).valid == covered(places)).all()
    assert everything(path, nodata=None).valid.all()
    window = Window(row=3, col=20, height=20, width=25)
    assert (open_source(SourceConfig(path=str(path))).read(window).valid == covered(places)[window.slices]).all()
    assert "87.5% of it lie in no file of the VRT" in notes(path)


def test_a_mosaic_without_holes_and_a_raster_of_nothing_are_as_they_were(tmp_path: Path) -> None:
    path = mosaic(tmp_path, [(row, col) for row in range(0, 40, 10) for col in range(0, 60, 10)])
    assert everything(path).valid.all()
    assert not notes(path)
    path = mosaic(tmp_path, [])
    assert everything(path).valid.all()


def test_a_band_with_a_nodata_says_its_holes_itself(tmp_path: Path) -> None:
    path = mosaic(tmp_path, [(0, 0)], "<NoDataValue>9</NoDataValue>")
    assert (everything(path).valid == covered([(0, 0)])).all()
    assert not notes(path)
