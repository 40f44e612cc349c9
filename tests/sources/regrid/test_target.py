"""The grid that a config asks for, and what it is where the config leaves something out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rasterio.transform import Affine

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.sources import open_source
from tests.sources.regrid import rasters

ASIDE = Affine.translation(971_000, 5_017_600) * Affine.rotation(4) * Affine.scale(12, -12)


def grid_of(path: Path, **grid: Any) -> Grid:
    return open_source(SourceConfig(path=str(path), grid=grid)).grid


def test_bounds_and_resolution_give_the_grid_as_they_stand(tmp_path: Path) -> None:
    grid = grid_of(
        rasters.noise(tmp_path / "a.tif"), resolution=[8, 12], bounds=[500_003, 4_999_001, 500_403, 4_999_601]
    )
    assert (grid.height, grid.width) == (50, 50)
    assert grid.transform == (8, 0, 500_003, 0, -12, 4_999_601)
    assert (grid.code, grid.unit) == ("EPSG:32633", "crs")


def test_bounds_that_are_no_whole_number_of_pixels_grow_to_the_right_and_below(tmp_path: Path) -> None:
    grid = grid_of(rasters.noise(tmp_path / "a.tif"), resolution=10, bounds=[500_003, 4_999_001, 500_404, 4_999_602])
    assert (grid.height, grid.width) == (61, 41)
    assert grid.transform[2::3] == (500_003, 4_999_602)


def test_bounds_are_snapped_outwards_where_that_is_asked_for(tmp_path: Path) -> None:
    grid = grid_of(
        rasters.noise(tmp_path / "a.tif"), resolution=10, snap=100, bounds=[500_003, 4_999_001, 500_404, 4_999_602]
    )
    assert grid.bounds == (500_000, 4_999_000, 500_500, 4_999_700)


def test_without_bounds_the_grid_covers_the_source_in_multiples_of_the_resolution(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif", transform=Affine(10, 0, 500_004, 0, -10, 5_000_001))
    assert grid_of(path, resolution=20).bounds == (500_000, 4_999_200, 500_980, 5_000_020)
    assert grid_of(path, resolution=20, snap=500).bounds == (500_000, 4_999_000, 501_000, 5_000_500)


def test_a_grid_of_the_source_itself_grows_by_no_pixel(tmp_path: Path) -> None:
    grid = grid_of(rasters.noise(tmp_path / "a.tif"), crs="EPSG:32633")
    assert (grid.height, grid.width, grid.transform) == (80, 96, (10, 0, 500_000, 0, -10, 5_000_000))


def test_another_crs_takes_the_area_of_the_source_s_pixels_in_three_digits(tmp_path: Path) -> None:
    grid = grid_of(rasters.noise(tmp_path / "a.tif"), crs="EPSG:4326")
    assert grid.transform[0] == -grid.transform[4] == pytest.approx(0.000107)
    assert grid.transform[2] / grid.transform[0] == pytest.approx(round(grid.transform[2] / grid.transform[0]))


def test_across_the_antimeridian_longitudes_are_counted_on(tmp_path: Path) -> None:
    left, _, right, _ = grid_of(
        rasters.noise(tmp_path / "a.tif", "EPSG:32660", rasters.DATELINE), crs="EPSG:4326"
    ).bounds
    assert right - left < 10
    assert left < -180 < right or left < 180 < right


def test_around_a_pole_the_grid_has_all_longitudes(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif", "EPSG:3413", rasters.POLE)
    left, bottom, right, top = grid_of(path, crs="EPSG:4326", resolution=1).bounds
    assert (left, right, top) == (-180, 180, 90)
    assert 70 < bottom < 80


def test_where_a_crs_stretches_without_bounds_its_area_of_use_counts(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif", "EPSG:4326", Affine(3.75, 0, -180, 0, -2.25, 90))
    left, bottom, right, top = grid_of(path, crs="EPSG:3857", resolution=200_000).bounds
    assert max(map(abs, (left, bottom, right, top))) <= 20_200_000


def test_a_file_gives_its_grid(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif")
    like = rasters.noise(
        tmp_path / "like.tif",
        "EPSG:32632",
        ASIDE,
    )
    assert grid_of(path, like=str(like)) == open_source(SourceConfig(path=str(like))).grid


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"crs": "EPSG:99999"}, "source.grid.crs is EPSG:99999, which is no CRS that PROJ knows. Give AUTHORITY:CODE"),
        (
            {"resolution": 10, "bounds": [0, 0, 50, 50]},
            "source.grid does not overlap the source. In EPSG:32633 the grid covers",
        ),
        ({"resolution": 1e-7}, "Give source.grid.resolution in the units of that CRS, or smaller bounds."),
        ({"like": "absent.tif"}, "source.grid.like: absent.tif, which does not exist."),
    ],
)
def test_a_grid_that_cannot_be_is_refused_with_what_to_change(
    tmp_path: Path, grid: dict[str, Any], message: str
) -> None:
    path = rasters.noise(tmp_path / "a.tif")
    with pytest.raises(SourceError) as refused:
        grid_of(path, **grid)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_source_that_lies_nowhere_is_refused(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif", crs=None)  # type: ignore[arg-type]  # as rasterio takes it
    with pytest.raises(SourceError, match=r"the source has no CRS, so that nobody knows where it lies\. Give it one"):
        grid_of(path, resolution=10)
    with pytest.raises(SourceError, match="which has no CRS, so that nobody knows where its grid lies"):
        grid_of(rasters.noise(tmp_path / "b.tif"), like=str(path))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"grid": {"like": "a.tif", "crs": "EPSG:4326"}}, "like gives the whole grid, and crs would give it anew"),
        ({"grid": {}}, "it is empty; give crs, resolution, bounds, snap"),
        ({"grid": {"resolution": 0}}, "greater than 0"),
        ({"grid": {"resolution": [10, -10]}}, "greater than 0"),
        ({"grid": {"bounds": [10, 0, 0, 10]}}, "hold no pixel"),
        ({"resampling": "cubic"}, "resampling is cubic, but no grid is given"),
        ({"grid": {"crs": "EPSG:4326"}, "resampling": "mode"}, "resampling"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(source: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SourceConfig(path="a.tif", **source)
