"""Labels in rasters, on every kind of grid, against the pixel in which each centre lies."""

from __future__ import annotations

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine

from pipeline.errors import LabelsError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.quality.labels import IGNORE, open_labels
from tests import scenes
from tests.quality.labels.places import CLASSES, DEGREES, GRIDS, NORTH_UP, UTM, centres, cut, grid, whole, windows

CODES = np.array([row.code for row in CLASSES], dtype="uint8")


def labels(path: Path, seed: int = 0, **profile: Any) -> tuple[Path, np.ndarray]:
    data = CODES[np.random.default_rng(seed).integers(0, 4, (200, 260))]
    return scenes.write(path, data[None], transform=NORTH_UP, crs=UTM, **profile), data


def nearest(data: np.ndarray, of: Any) -> np.ndarray:
    """The value of the labels' pixel that holds each centre; IGNORE outside."""
    col, row = (np.floor(v).astype(int) for v in ~NORTH_UP * centres(of, UTM))
    inside = (row >= 0) & (row < data.shape[0]) & (col >= 0) & (col < data.shape[1])
    return np.where(inside, data[row.clip(0, data.shape[0] - 1), col.clip(0, data.shape[1] - 1)].astype(int), IGNORE)


def sure(of: Any) -> np.ndarray:
    """Centres that are not on an edge.

    Libraries of two PROJ releases disagree by 0.7 mm on where LAEA's ETRS89 lies.
    """
    places = ~NORTH_UP * centres(of, UTM)
    return np.all([abs(place - np.round(place)) > 1e-3 for place in places], axis=0)


@pytest.mark.parametrize("name", GRIDS)
def test_every_pixel_is_the_one_that_its_centre_lies_in_whatever_the_grid_and_the_window(
    tmp_path: Path, name: str
) -> None:
    path, data = labels(tmp_path / "a.tif", tiled=True, blockxsize=64, blockysize=64)
    opened = open_labels(path, GRIDS[name], CLASSES)
    expected, got = nearest(data, GRIDS[name]), opened.read(whole(GRIDS[name]))
    assert (expected != IGNORE).mean() > 0.2
    assert (got == expected)[sure(GRIDS[name])].all()
    for window in windows(GRIDS[name]):
        part = opened.read(window)
        assert part.dtype == np.uint16
        assert (part == cut(got, window, IGNORE)).all()


@pytest.mark.parametrize("name", ["the labels' own", "rotated"])
def test_nodata_and_what_a_mask_hides_are_unknown(tmp_path: Path, name: str) -> None:
    hidden, data = labels(tmp_path / "mask.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(hidden, "r+") as out:
        out.write_mask(np.where(np.arange(260) < 120, 0, 255)[None, :].repeat(200, 0).astype("uint8"))
    marked, _ = labels(tmp_path / "nodata.tif", nodata=7)
    masked = np.where(np.arange(260) < 120, IGNORE, data.astype(int))
    for path, expected in ((hidden, masked), (marked, np.where(data == 7, IGNORE, data.astype(int)))):
        assert (
            open_labels(path, GRIDS[name], CLASSES, ignore=[] if path == hidden else [7]).read(whole(GRIDS[name]))
            == nearest(expected, GRIDS[name])
        ).all()


@pytest.mark.parametrize("name", ["the labels' own", "rotated"])
def test_a_nodata_that_is_a_class_as_well_is_refused_until_the_user_says_which_it_is(tmp_path: Path, name: str) -> None:
    path, data = labels(tmp_path / "a.tif", nodata=0)
    with pytest.raises(LabelsError, match=r"nodata 0, which is also the code of a class.*--ignore 0"):
        open_labels(path, GRIDS[name], CLASSES)
    listed = {int(code): int(code) for code in CODES}
    assert (
        open_labels(path, GRIDS[name], CLASSES, values=listed).read(whole(GRIDS[name])) == nearest(data, GRIDS[name])
    ).all()
    hidden = nearest(np.where(data == 0, IGNORE, data.astype(int)), GRIDS[name])
    assert (open_labels(path, GRIDS[name], CLASSES, ignore=[0]).read(whole(GRIDS[name])) == hidden).all()
    unlisted = {value: code for value, code in listed.items() if value}
    assert (open_labels(path, GRIDS[name], CLASSES, values=unlisted).read(whole(GRIDS[name])) == hidden).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_labels_of_floats_are_codes_where_they_are_whole(tmp_path: Path, dtype: str) -> None:
    _path, data = labels(tmp_path / "a.tif")
    with_nan = data.astype(dtype)
    if dtype != "int64":
        with_nan[0, 0] = np.nan
    got = open_labels(
        scenes.write(tmp_path / "b.tif", with_nan[None], transform=NORTH_UP, crs=UTM), GRIDS["the labels' own"], CLASSES
    )
    assert (got.read(whole(got.grid)).ravel()[1:] == data.ravel()[1:]).all()
    half = scenes.write(tmp_path / "c.tif", np.full((1, 200, 260), 1.5, "float32"), transform=NORTH_UP, crs=UTM)
    with pytest.raises(LabelsError, match=r"holds 1\.5, which is no class"):
        open_labels(half, got.grid, CLASSES).read(whole(got.grid))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_no_label_of_class_0_is_made_up_where_the_labels_end(tmp_path: Path, dtype: str) -> None:
    path = scenes.write(tmp_path / "a.tif", np.ones((1, 200, 260), dtype), transform=NORTH_UP, crs=UTM)
    got = open_labels(path, GRIDS["rotated"], CLASSES).read(whole(GRIDS["rotated"]))
    assert set(np.unique(got)) == {1, IGNORE}


def test_a_transform_that_differs_in_its_last_digits_is_the_same_grid_and_one_off_by_half_a_pixel_is_not(
    tmp_path: Path,
) -> None:
    path, data = labels(tmp_path / "a.tif")
    same = open_labels(path, grid(200, 260, NORTH_UP * Affine.translation(1e-9, 0) * Affine.scale(1 + 1e-15)), CLASSES)
    assert same.straight  # type: ignore[attr-defined]
    assert (same.read(whole(same.grid)) == data).all()
    assert not open_labels(path, grid(200, 260, NORTH_UP * Affine.translation(0.5, 0)), CLASSES).straight  # type: ignore[attr-defined]


@pytest.mark.parametrize("stretch", [(1 + 1e-4, 1), (1, 1 + 1e-4)])
def test_a_small_stretch_of_a_grid_is_seen_at_its_far_corner(tmp_path: Path, stretch: tuple[float, float]) -> None:
    path, _ = labels(tmp_path / "a.tif")
    assert not open_labels(path, grid(200, 260, NORTH_UP * Affine.scale(*stretch)), CLASSES).straight  # type: ignore[attr-defined]


def test_float_labels_and_wide_integers_are_codes_and_nan_is_unknown(tmp_path: Path) -> None:
    codes = np.array([[0, 1, 7, 2]], "float32")
    codes[0, 1] = np.nan
    for dtype, expected in (("float32", [0, IGNORE, 7, 2]), ("int32", [0, 1, 7, 2])):
        data = codes if dtype == "float32" else np.array([[0, 1, 7, 2]])
        path = scenes.write(tmp_path / f"{dtype}.tif", data[None].astype(dtype))
        assert open_labels(path, grid(1, 4, NORTH_UP), CLASSES).read(whole(grid(1, 4, NORTH_UP))).tolist() == [expected]


def test_it_pickles_as_a_small_spec_and_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    path, data = labels(tmp_path / "a.tif", tiled=True, blockxsize=32, blockysize=32, compress="deflate")
    opened = open_labels(path, GRIDS["in degrees"], CLASSES)
    opened.read(whole(opened.grid))
    said = pickle.dumps(opened)
    assert len(said) < 5000
    again, parts = pickle.loads(said), windows(opened.grid, 1, 60)
    expected = nearest(data, opened.grid)
    with ThreadPoolExecutor(8) as pool:
        for window, got in zip(parts, pool.map(again.read, parts), strict=True):
            assert (got == cut(expected, window, IGNORE)).all()


def test_without_a_crs_pixels_correspond_one_to_one(tmp_path: Path) -> None:
    data = CODES[np.random.default_rng(0).integers(0, 4, (40, 50))]
    path = tmp_path / "a.png"
    with rasterio.open(path, "w", driver="PNG", count=1, height=40, width=50, dtype="uint8") as out:
        out.write(data, 1)
    image = grid(40, 50, Affine.identity(), None)
    assert (open_labels(path, image, CLASSES).read(whole(image)) == data).all()
    with pytest.raises(LabelsError, match=r"40 × 50 px, the image 41 × 50"):
        open_labels(path, grid(41, 50, Affine.identity(), None), CLASSES)
    placed = scenes.write(tmp_path / "b.tif", data[None], crs=None, transform=NORTH_UP)
    assert (open_labels(placed, image, CLASSES).read(whole(image)) == data).all()
    with pytest.raises(LabelsError, match="begin at x 500000, y 4600000, the image at x 500300"):
        open_labels(placed, grid(40, 50, NORTH_UP * Affine.translation(30, 0), None), CLASSES)


@pytest.mark.parametrize(
    "transform", [Affine(1.2e-4, 0, 16.5, 0, -9e-5, 41.5492), Affine(1.2e-4, 0, 15.001, 0, -9e-5, 51.5)]
)
def test_labels_elsewhere_are_refused_with_both_outlines(tmp_path: Path, transform: Affine) -> None:
    path, _ = labels(tmp_path / "a.tif")
    with pytest.raises(
        LabelsError,
        match=r"EPSG:32633 the labels cover x 500000 … 502600, y 4598000 … 4600000, the image x [56]\d+.*\d … ",
    ) as caught:
        open_labels(path, grid(200, 260, transform, DEGREES), CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labelled", "image", "words"),
    [(UTM, None, "they have a CRS and the image has none"), (None, UTM, "image has a CRS and they have")],
)
def test_a_crs_on_one_side_only_is_refused(tmp_path: Path, labelled: str | None, image: str | None, words: str) -> None:
    path = scenes.write(tmp_path / "a.tif", np.zeros((1, 20, 30), "uint8"), crs=labelled, transform=NORTH_UP)
    with pytest.raises(LabelsError, match=words):
        open_labels(path, grid(20, 30, NORTH_UP, image), CLASSES)


def test_what_is_no_raster_of_one_band_is_told_apart(tmp_path: Path) -> None:
    image = grid(20, 30, NORTH_UP)
    (tmp_path / "empty.tif").touch()
    many = scenes.write(tmp_path / "many.tif", np.zeros((3, 20, 30), "uint8"))
    for path, words in (
        (tmp_path / "nowhere.tif", "does not exist"),
        (tmp_path / "empty.tif", "is no raster"),
        (many, "have 3 bands"),
    ):
        with pytest.raises(LabelsError, match=words):
            open_labels(path, image, CLASSES)
    plain = scenes.write(tmp_path / "a.tif", np.zeros((1, 20, 30), "uint8"))
    with pytest.raises(LabelsError, match="attribute is kind"):
        open_labels(plain, image, CLASSES, attribute="kind")


def test_a_file_that_breaks_in_the_middle_is_named(tmp_path: Path) -> None:
    path, _ = labels(tmp_path / "a.tif", tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    broken = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(broken)
    with pytest.raises(LabelsError, match=r"a\.tif"):
        open_labels(path, grid(200, 260, NORTH_UP), CLASSES).read(whole(grid(200, 260, NORTH_UP)))


@pytest.mark.parametrize(("attributes", "code"), [({}, 0), ({"_FillValue": 0}, IGNORE)])
def test_the_fill_value_of_a_zarr_is_a_class_unless_an_attribute_says_nodata(
    tmp_path: Path, attributes: dict[str, int], code: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(tmp_path / "labels.zarr", mode="w", zarr_format=2)
        group.create_array("v", shape=(4, 6), chunks=(2, 6), dtype="uint8", fill_value=0, attributes=attributes)[:2] = 1
    image, classes = Grid(height=4, width=6), tuple(row for row in CLASSES if not attributes or row.code)
    codes = open_labels(f'ZARR:"{tmp_path / "labels.zarr"}":/v', image, classes).read(
        Window(row=0, col=0, height=4, width=6)
    )
    assert (codes[:2] == 1).all()
    assert (codes[2:] == code).all()
