import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy
from rasterio.transform import from_origin

from pipeline.exports import vrt
from pipeline.geometry.grid import Grid
from pipeline.store import overviews
from pipeline.store.downsample import mode_2x2
from tests.store import specs


def opened(folder: Path, name: str, **changes: object) -> rasterio.DatasetReader:
    """The VRT of a finished v2 store, which is what the GDAL of Python 3.11 reads."""
    of = specs.spec(**{"zarr_format": 2, **changes})  # type: ignore[arg-type]
    path = specs.store(folder / name, of)
    overviews.build_overviews(path, of)
    return rasterio.open(specs.finish(path, of, {}))


@pytest.mark.slow
@pytest.mark.parametrize("grid", specs.GRIDS)
def test_pixels_and_georeference_are_the_stores(tmp_path: Path, grid: str) -> None:
    there = specs.GRIDS[grid]
    with opened(tmp_path, "a.zarr", grid=grid) as raster:
        assert (raster.read(1) == specs.pixels(specs.spec())).all()
        assert tuple(raster.transform)[:6] == there.transform
        assert (raster.crs is None) == (there.wkt is None)
        if there.wkt:
            assert raster.crs == rasterio.CRS.from_wkt(there.wkt)
        assert raster.nodata == 255


def test_overviews_are_the_levels_of_the_store(tmp_path: Path) -> None:
    with opened(tmp_path, "a.zarr") as raster:
        assert raster.overviews(1) == [2, 4, 8]
    with rasterio.open(tmp_path / "a.vrt", overview_level=0) as overview:
        assert (overview.read(1) == mode_2x2(specs.pixels(specs.spec()), 255)).all()


def test_classes_have_names_and_colours_and_nodata_is_clear(tmp_path: Path) -> None:
    with opened(tmp_path, "odd & <name>.zarr") as raster:
        colors = raster.colormap(1)
        assert [colors[code] for code in (0, 3, 7, 1, 255)] == [
            (0x11, 0x22, 0x33, 255),
            (0x44, 0x55, 0x66, 255),
            (0x77, 0x88, 0x99, 255),
            (0,) * 4,
            (0,) * 4,
        ]
        assert raster.colorinterp[0].name == "palette"
        assert (raster.read(1)[60:] != 255).any()
        copy(raster, tmp_path / "said.vrt", driver="VRT")
    names = re.findall(r"<Category>(.*?)</Category>|<Category ?/>", (tmp_path / "said.vrt").read_text())
    assert names == ["open water", "", "", "&lt;fields &amp; co&gt;", "", "", "", "forest"]


def test_codes_above_254_are_uint16(tmp_path: Path) -> None:
    classes = (*specs.CLASSES, specs.ClassRow(code=300, name="rock", color="#aabbcc"))
    with opened(tmp_path, "a.zarr", classes=classes, dtype="uint16", nodata=65535) as raster:
        assert raster.dtypes == ("uint16",)
        assert raster.nodata == 65535
        assert raster.colormap(1)[300] == (0xAA, 0xBB, 0xCC, 255)
        assert (raster.read(1) == 300).any()


@pytest.mark.parametrize(
    "code", [4326, 32633, 3031, 3413, 3995, 5041, 32661, 32761, 2193, 3035, 31467, 2053, 3857, 27700, 2263]
)
def test_the_order_of_axes_is_the_one_that_gdal_itself_writes(tmp_path: Path, code: int) -> None:
    said = {
        "driver": "GTiff",
        "width": 4,
        "height": 4,
        "count": 1,
        "dtype": "uint8",
        "transform": from_origin(0, 1, 0.1, 0.1),
    }
    with rasterio.open(tmp_path / "a.tif", "w", crs=f"EPSG:{code}", **said) as raster:
        raster.write(np.zeros((1, 4, 4), np.uint8))
    with rasterio.open(tmp_path / "a.tif") as raster:
        copy(raster, tmp_path / "a.vrt", driver="VRT")
        wkt = raster.crs.to_wkt(version="WKT2_2019")
    found = re.search('dataAxisToSRSAxisMapping="([^"]*)"', (tmp_path / "a.vrt").read_text())
    assert found is not None
    assert vrt.axes(wkt) == found[1]


def test_a_crs_that_only_gdal_understands_is_passed_on() -> None:
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    grid = Grid(height=100, width=130, transform=specs.NORTH_UP, wkt=local, unit="crs")
    assert 'LOCAL_CS["site"' in vrt.vrt_document(specs.spec(grid), "a.zarr")
    assert vrt.axes("nonsense") == "1,2"
