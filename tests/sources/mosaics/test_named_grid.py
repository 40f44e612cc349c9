"""Pieces of several lattices on a named grid: each resampled alone, composed by the rule of overlaps."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests.sources.mosaics.pieces import mosaic, noise, piece, same_as_whole, whole, windows

LON, LAT = 12.0, 42.0
"""A place on the border of two zones of UTM."""


def near(crs: str, east: int, north: int) -> dict[str, Any]:
    """A corner so many metres from the place, in a zone."""
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(LON, LAT)
    return {"crs": crs, "left": round(x, -1) + east, "top": round(y, -1) + north}


def two_zones(folder: Path) -> list[Path]:
    return [
        piece(folder / "a.tif", noise(40, 50, 1), **near("EPSG:32632", -400, 200)),
        piece(folder / "b.tif", noise(40, 50, 2), **near("EPSG:32632", -300, 50)),
        piece(folder / "c.tif", noise(40, 50, 3), **near("EPSG:32633", -150, 250)),
    ]


def merged(files: list[Path], grid: dict[str, Any], resampling: str, like: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same rule on whole arrays: each file warped as a raster of its own, and the valid pixels of the first."""
    data, valid = np.zeros((like.bands, like.grid.height, like.grid.width), like.dtype), None
    for file in files:
        config = SourceConfig(path=str(file), grid={**grid, "bounds": list(like.grid.bounds)}, resampling=resampling)
        part = whole(open_source(config))
        valid = np.zeros_like(part.valid) if valid is None else valid
        data[:, part.valid & ~valid] = part.data[:, part.valid & ~valid]
        valid |= part.valid
    assert valid is not None
    return data, valid


@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("grid", "resampling", "overlap"),
    [
        ({"crs": "EPSG:32633", "resolution": 12}, "bilinear", "first"),
        ({"crs": "EPSG:32632"}, "nearest", "last"),
        ({"crs": "EPSG:4326", "resolution": 0.0002}, "average", "first"),
    ],
)
def test_two_zones_are_the_merge_of_warped_files_whatever_the_windows(
    tmp_path: Path, grid: dict[str, Any], resampling: str, overlap: str
) -> None:
    files = two_zones(tmp_path)
    source = pickle.loads(pickle.dumps(mosaic(tmp_path, grid=grid, resampling=resampling, overlap=overlap)))
    files = files if overlap == "first" else files[::-1]
    full = {"resolution": source.grid.pixel_size[0], **grid}
    data, valid = merged(files, full, resampling, source)
    pixels = whole(source)
    assert (pixels.valid == valid).all()
    assert (pixels.data[:, valid] == data[:, valid]).all()
    assert 0.5 < valid.mean() < 1
    assert all(same_as_whole(source, window, pixels) for window in windows(source, 8))


def test_pieces_in_two_zones_need_a_grid_and_one_that_they_touch(tmp_path: Path) -> None:
    two_zones(tmp_path)
    with pytest.raises(SourceError, match=r"c\.tif has EPSG:32633.*Give source\.grid: \{crs: EPSG:32632"):
        mosaic(tmp_path)
    with pytest.raises(SourceError, match=r"source\.grid does not overlap the mosaic"):
        mosaic(tmp_path, grid={"crs": "EPSG:32632", "resolution": 10, "bounds": [0, 0, 100, 100]})


def test_pieces_that_join_leave_no_hole_where_centres_lie_on_the_join(tmp_path: Path) -> None:
    """Pixels of 20 m have their centres on corners of pixels of 10 m, and so on the joins of pieces."""
    left = near("EPSG:32633", 0, 0)["left"] // 20 * 20
    top = near("EPSG:32633", 0, 0)["top"] // 20 * 20
    place = {"crs": "EPSG:32633", "left": left, "top": top}
    for row in range(3):
        for col in range(3):
            piece(tmp_path / f"p{row}{col}.tif", np.full((1, 21, 21), 5, "uint16"), 21 * row, 21 * col, **place)
    piece(tmp_path / "z.tif", np.full((1, 4, 4), 7, "uint16"), **near("EPSG:32632", -4000, 0))
    bounds = [left, top - 600, left + 600, top]
    pixels = whole(mosaic(tmp_path, grid={"crs": "EPSG:32633", "resolution": 20, "bounds": bounds}))
    assert pixels.valid.all()
    assert (pixels.data == 5).all()


def test_a_piece_across_the_antimeridian_lies_on_both_sides_of_it(tmp_path: Path) -> None:
    data = np.full((1, 20, 40), 3, "uint16")
    piece(tmp_path / "a.tif", data, crs="EPSG:4326", left=179.0, top=-17.0, size=0.1)
    piece(tmp_path / "b.tif", np.full((1, 20, 40), 4, "uint16"), crs="EPSG:4326", left=-179.05, top=-17.0, size=0.1)
    grid = {"crs": "EPSG:4326", "resolution": 0.1, "bounds": [178.0, -18.0, 184.0, -17.0]}
    row = whole(mosaic(tmp_path, grid=grid, resampling="nearest")).data[0, 5]
    assert row[[5, 15, 45, 55]].tolist() == [0, 3, 3, 4]


def test_windows_far_from_all_pieces_are_empty(tmp_path: Path) -> None:
    two_zones(tmp_path)
    source = mosaic(tmp_path, grid={"crs": "EPSG:32633", "resolution": 10})
    pixels = source.read(Window(row=10**6, col=0, height=3, width=4))
    assert (pixels.data.shape, pixels.valid.any()) == ((2, 3, 4), False)
