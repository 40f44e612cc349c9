"""A stack is the raster of all its sources' bands: moved by whole pixels or warped where that is asked for."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources import open_source
from pipeline.sources.band_tags import read_band_tags
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.stacked import stacked_source
from tests import scenes
from tests.sources.regrid import rasters

HERE = from_origin(500_000, 4_600_000, 10, 10)
BANDS = {"kind": "bands", "path": {"nir": "b.tif", "red": "a.tif"}}


def stack(*sources: Any, **more: Any) -> Any:
    entries = [str(entry) if isinstance(entry, Path) else entry for entry in sources]
    return open_source(SourceConfig(kind="stack", path=entries, **more))


def whole(opened: Any) -> Any:
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def dates(folder: Path, count: int = 3) -> tuple[list[Path], np.ndarray]:
    """Scenes of two bands, with zeros in all bands of some dates and in single bands, and all their bands."""
    data = np.random.default_rng(0).integers(1, 200, (count, 2, 50, 60)).astype("uint8")
    data[:, :, :5] = 0
    data[1, :, 5:10] = 0
    data[2, 1, 10:15] = 0
    files = [scenes.write(folder / f"{2000 + k}.tif", date, nodata=0) for k, date in enumerate(data)]
    return files, data.reshape(-1, 50, 60)


def windows(opened: Any) -> list[Window]:
    return rasters.windows(opened, 12)


def check_windows(opened: Any) -> None:
    """Windows anywhere equal the whole."""
    everything = whole(opened)
    for window in windows(opened):
        got, inside = opened.read(window), window.clip(opened.grid.height, opened.grid.width)
        here = inside.index_in(window)
        assert (got.data[(slice(None), *here)] == everything.data[(slice(None), *inside.slices)]).all()
        assert (got.valid[here] == everything.valid[inside.slices]).all()
        assert got.valid.sum() == everything.valid[inside.slices].sum()


@pytest.mark.parametrize("rule", ["all", "any"])
def test_sources_of_one_grid_are_the_stacked_raster(tmp_path: Path, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files, data = dates(tmp_path)
    raster = open_source(SourceConfig(path=str(scenes.write(tmp_path / "all.tif", data, nodata=0)), nodata_rule=rule))
    opened = stack(*files, nodata_rule=rule, stack_rule=rule)
    assert (opened.grid, opened.dtype, opened.bands) == (raster.grid, raster.dtype, 6)
    monkeypatch.setattr(stacked_source, "STRIP_PIXELS", 500)
    for window in windows(opened):
        got, expected = opened.read(window), raster.read(window)
        assert (got.data == expected.data).all()
        assert (got.valid == expected.valid).all()


def test_a_pixel_is_invalid_where_any_source_is_by_the_rule_of_its_own_bands(tmp_path: Path) -> None:
    files, _ = dates(tmp_path)
    valid = whole(stack(*files)).valid
    assert (valid == (np.arange(50) >= 10)[:, np.newaxis]).all()
    assert whole(stack(*files, stack_rule="all")).valid.sum() == 45 * 60
    last = {"path": str(files[2]), "nodata_rule": "any"}
    assert whole(stack(*files[:2], last)).valid.sum() == 35 * 60
    assert whole(stack(*files[:2], {**last, "nodata": None})).valid.sum() == 40 * 60
    assert whole(stack(*files, nodata=None)).valid.all()


def test_what_is_no_number_is_invalid_whatever_the_rule(tmp_path: Path) -> None:
    radar = np.array([[[np.nan, 1, 1, 1, np.nan]], [[1, np.inf, 1, -1, np.nan]]], dtype="float32")
    optical = np.array([[[5, 5, 0, 5, 5]]], dtype="int16")
    files = [
        scenes.write(tmp_path / "s1.tif", radar, nodata=float("nan")),
        scenes.write(tmp_path / "s2.tif", optical, nodata=0),
    ]
    assert whole(stack(*files)).valid.tolist() == [[False, False, False, True, False]]
    assert whole(stack(*files, stack_rule="all")).valid.tolist() == [[False, False, True, True, False]]
    assert stack(*files).dtype == "float32"


def test_a_row_short_date_is_refused_and_lies_where_it_lies_when_exact_is_asked_for(tmp_path: Path) -> None:
    data = scenes.position(20, 30)
    first = scenes.write(tmp_path / "first.tif", data)
    short = scenes.write(tmp_path / "short.tif", data[:, 1:], transform=HERE * Affine.translation(0, 1))
    with pytest.raises(
        SourceError,
        match=r"short.tif lies on another grid than \S+first.tif: its corner lies 0 px to the right and 1 px down; it "
        r"has 19 × 30 px, not 20 × 30. Set source.align to exact, .* or to resample",
    ):
        stack(first, short)
    opened = stack(first, short, align="exact")
    got = whole(opened)
    assert (got.data[:, 1:] == np.concatenate([data, data])[:, 1:]).all()
    assert (got.valid == (np.arange(20) >= 1)[:, np.newaxis]).all()
    assert {CAUSES[code] for code in np.unique(got.causes)} == {"", "never written"}
    assert "short: its 19 × 30 px lie from row 1 and column 0 on, by whole pixels" in opened.notes
    assert (whole(stack(first, short, align="resample")).data[:, 1:] == got.data[:, 1:]).all()
    check_windows(opened)


@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "nearest"])
def test_half_a_pixel_is_refused_or_warped_as_gdal_warps_the_whole(tmp_path: Path, resampling: str) -> None:
    first = rasters.noise(tmp_path / "first.tif")
    half = rasters.noise(tmp_path / "half.tif", transform=rasters.UTM * Affine.translation(0.5, -0.5))
    for align, remedy in ((None, "Set source.align to exact, .* or to resample"), ("exact", "give resample")):
        with pytest.raises(SourceError, match=rf"half.tif .* lies 0.5 px to the right and 0.5 px up. .*{remedy}"):
            stack(first, half, align=align)
    opened = stack(first, half, align="resample", resampling=resampling)
    part = opened.parts[1].source
    assert isinstance(part, Regridded)
    with rasters.in_one_piece(half, part) as dataset:
        *warped, alpha = dataset.read()
    beforehand = np.concatenate([scenes.read(first), np.stack(warped)])
    got = whole(opened)
    assert (got.valid == (alpha != 0)).all()
    assert (got.data[:, got.valid] == beforehand[:, got.valid]).all()
    assert 0.9 < got.valid.mean() < 1
    check_windows(opened)


def test_another_crs_and_resolution_come_to_the_grid_of_the_first(tmp_path: Path) -> None:
    first = rasters.noise(tmp_path / "s2.tif")
    (x,), (y,) = transform("EPSG:32633", "EPSG:32632", [rasters.UTM.c], [rasters.UTM.f])
    other = rasters.noise(tmp_path / "dem.tif", "EPSG:32632", Affine(25, 0, x + 200, 0, -25, y + 50), "int16")
    with pytest.raises(SourceError, match=r"its CRS is EPSG:32632, not EPSG:32633"):
        stack(first, other)
    opened = stack(first, {"path": str(other), "resampling": "cubic"}, align="resample")
    alone = rasters.regridded(other, {"like": str(first)}, "cubic")
    assert (opened.grid, opened.dtype) == (open_source(SourceConfig(path=str(first))).grid, "int32")
    assert (whole(opened).data[2:] == whole(alone).data).all()
    assert (whole(opened).valid == whole(alone).valid).all()
    assert whole(opened).valid.mean() > 0.2
    check_windows(opened)


def test_all_sources_come_to_a_grid_that_is_named(tmp_path: Path) -> None:
    first = rasters.noise(tmp_path / "a.tif", nodata=7)
    half = rasters.noise(tmp_path / "b.tif", transform=rasters.UTM * Affine.translation(0.5, 0.5), dtype="uint8")
    grid = {"crs": "EPSG:32632", "resolution": 12}
    opened = stack(first, half, grid=grid)
    alone = [rasters.regridded(path, {"like": str(path_of(tmp_path, opened))}) for path in (first, half)]
    assert opened.grid == rasters.regridded(first, grid).grid
    assert (whole(opened).data == np.concatenate([whole(source).data for source in alone])).all()
    assert (whole(opened).valid == (whole(alone[0]).valid & whole(alone[1]).valid)).all()
    same = stack(first, half, grid={"like": str(half)})
    assert (whole(same).data[2:] == scenes.read(half)).all()


def path_of(folder: Path, opened: Any) -> Path:
    """A raster on the grid of a source."""
    grid = opened.grid
    return scenes.write(
        folder / "grid.tif",
        np.zeros((1, grid.height, grid.width), np.uint8),
        crs=grid.wkt,
        transform=Affine(*grid.transform),
    )


def test_last_digits_of_a_transform_make_no_other_grid(tmp_path: Path) -> None:
    data, step = scenes.position(20, 30), 8.983152841195215e-05
    files = [
        scenes.write(tmp_path / f"{k}.tif", data, crs="EPSG:4326", transform=from_origin(-0.78, 38.1, size, size))
        for k, size in enumerate((step, step * (1 + 3e-15)))
    ]
    assert (whole(stack(*files)).data == np.concatenate([data, data])).all()


def test_what_differs_is_named(tmp_path: Path) -> None:
    first = scenes.write(tmp_path / "first.tif", np.ones((1, 20, 20), np.uint8))
    for k, (profile, message) in enumerate(
        [
            ({"transform": HERE * Affine.scale(2)}, "its pixels are 20 × 20, not 10 × 10"),
            ({"transform": HERE * Affine.rotation(9)}, "its rows and columns run in other directions"),
            ({"transform": HERE * Affine.scale(1.001)}, "its pixels are 10.01 × 10.01, not 10 × 10"),
            ({"crs": None}, "its CRS is unknown, not EPSG:32633"),
        ]
    ):
        other = scenes.write(tmp_path / f"{k}.tif", np.ones((1, 20, 20), np.uint8), **profile)
        with pytest.raises(SourceError, match=rf"{k}.tif lies on another grid than \S+first.tif: {message}"):
            stack(first, other)
    with pytest.raises(SourceError, match=r"3.tif cannot be brought to the grid of \S+first.tif: it has no CRS"):
        stack(first, tmp_path / "3.tif", align="resample")
    away = scenes.write(
        tmp_path / "away.tif", np.ones((1, 20, 20), np.uint8), transform=HERE * Affine.translation(20, 0)
    )
    with pytest.raises(SourceError, match=r"away.tif lies elsewhere than the grid of the stack"):
        stack(first, away, align="exact")
    with pytest.raises(SourceError, match=r"away.tif lies elsewhere than the grid of the stack"):
        stack(first, away, align="resample", grid=None)


def test_scenes_that_ground_control_points_place_are_no_scenes_of_one_grid(tmp_path: Path) -> None:
    files, corners = [], [(0, 0), (0, 20), (20, 0), (20, 20)]
    for k in range(2):
        points = [GroundControlPoint(row, col, 9 + k + col / 100, 50 - row / 100) for row, col in corners]
        path = tmp_path / f"{k}.tif"
        files.append(scenes.write(path, np.ones((1, 20, 20), np.uint8), transform=None, gcps=points))
    with pytest.raises(SourceError, match="its pixels are placed by other ground control points"):
        stack(*files)
    assert stack(files[0], files[0]).bands == 2


def test_a_source_may_be_of_any_kind_and_bands_have_names(tmp_path: Path) -> None:
    files, data = dates(tmp_path, 3)
    for name, band in (("a", data[0]), ("b", data[1])):
        scenes.write(tmp_path / f"{name}.tif", band[np.newaxis], nodata=0)
    mapping = {name: str(tmp_path / file) for name, file in BANDS["path"].items()}
    opened = stack({**BANDS, "path": mapping}, {"path": str(files[0]), "bands": [2]}, files[0])
    assert (whole(opened).data == data[[1, 0, 1, 0, 1]]).all()
    assert read_band_tags(opened).names[2:] == ("2000#1:2", "2000#2:1", "2000#2:2")
    assert [name.rpartition(":")[2] for name in opened.band_names[:2]] == ["nir", "red"]
    assert opened.notes[1:3] == ("band 3 is 2000#1:2", "bands 4 to 5 are 2000#2:1, 2000#2:2")


def test_messages_name_the_source_and_its_key(tmp_path: Path) -> None:
    files, _ = dates(tmp_path)
    with pytest.raises(SourceError, match=r"source\.path\.1\.bands asks for band 7, but \S+2000.tif has 2 bands"):
        stack(files[1], {"path": str(files[0]), "bands": [7]})
    with pytest.raises(SourceError, match=r"source\.path\.1\.path is \S+source.tif, which does not exist"):
        stack(files[0], tmp_path / "source.tif")


def test_dtypes_are_joined_without_loss_or_refused(tmp_path: Path) -> None:
    data = np.ones((1, 8, 8))
    files = {
        dtype: scenes.write(tmp_path / f"{dtype}.tif", data.astype(dtype))
        for dtype in ("uint8", "int16", "int32", "float32", "int64")
    }
    assert stack(files["uint8"], files["int16"]).dtype == "int16"
    assert stack(files["int32"], files["float32"]).dtype == "float64"
    assert stack(files["uint8"], files["int64"]).dtype == "int64"
    with pytest.raises(SourceError, match=r"int64.tif holds int64, and other sources of the stack float32: no dtype"):
        stack(files["int64"], files["float32"])


def test_many_threads_and_a_pickle_read_what_one_reads(tmp_path: Path) -> None:
    first = rasters.noise(tmp_path / "first.tif")
    half = rasters.noise(tmp_path / "half.tif", transform=rasters.UTM * Affine.translation(0.5, 0.5))
    opened = stack(first, half, align="resample")
    everything, again = whole(opened).data, pickle.loads(pickle.dumps(opened))
    parts = [Window(row=r, col=c, height=20, width=24) for r in range(0, 80, 20) for c in range(0, 96, 24)] * 2
    with ThreadPoolExecutor(8) as pool:
        for window, got in zip(parts, pool.map(again.read, parts), strict=True):
            assert (got.data == everything[(slice(None), *window.slices)]).all()
    assert again.identity() == opened.identity()
    assert opened.working_bytes > opened.parts[1].source.working_bytes > 0


def test_the_identity_covers_every_source_and_how_it_comes_to_the_grid(tmp_path: Path) -> None:
    files, _ = dates(tmp_path)
    first = stack(*files).identity()
    assert json.loads(json.dumps(first)) == first == stack(*files).identity()
    others = [
        stack(*files[:2]),
        stack(*files[::-1]),
        stack(*files, stack_rule="all"),
        stack(*files[:2], {"path": str(files[2]), "nodata": 3}),
    ]
    assert all(other.identity() != first for other in others)
    dates(tmp_path)
    assert {key for key, value in stack(*files).identity().items() if value != first[key]} == {
        f"path.{k}.files" for k in range(3)
    }


def test_colours_are_those_of_the_first_source_that_names_its_own(tmp_path: Path) -> None:
    plain = scenes.write(tmp_path / "plain.tif", scenes.position(9, 9, 2))
    colours = scenes.write(tmp_path / "rgb.tif", scenes.position(9, 9).astype("uint8"), photometric="rgb")
    assert stack(plain, colours).rgb == read_band_tags(stack(plain, colours)).rgb == (2, 3, 4)
    assert stack(plain).rgb == ()
