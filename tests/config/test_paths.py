from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.paths import anchored_path, is_gdal_name, is_there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cube.nc", "a b.tif", "raws.zip", "a:b.tif", "HDF5:x.tif"):
        (tmp_path / name).touch()
    (tmp_path / "img.zarr").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cube.nc", "{folder}/cube.nc"),
        ("netcdf:cube.nc:B04", "netcdf:{folder}/cube.nc:B04"),
        ('NETCDF:"cube.nc":B04', 'NETCDF:"{folder}/cube.nc":B04'),
        ('NETCDF:"not there.nc":B04', 'NETCDF:"{folder}/not there.nc":B04'),
        ("NETCDF:/else/where.nc:B04", "NETCDF:/else/where.nc:B04"),
        ("GTIFF_DIR:2:a b.tif", "GTIFF_DIR:2:{folder}/a b.tif"),
        ("GTIFF_DIR:2:a:b.tif", "GTIFF_DIR:2:{folder}/a:b.tif"),
        ("GTIFF_DIR:off:408:a b.tif", "GTIFF_DIR:off:408:{folder}/a b.tif"),
        ("ZARR:img.zarr:/0", "ZARR:{folder}/img.zarr:/0"),
        ('HDF5:"cube.nc"://group/red', 'HDF5:"{folder}/cube.nc"://group/red'),
        ("SENTINEL2_L2A:raws.zip:10m:EPSG_32632", "SENTINEL2_L2A:{folder}/raws.zip:10m:EPSG_32632"),
        (
            "SENTINEL2_L2A:/vsizip/raws.zip/MTD.xml:10m:EPSG_32632",
            "SENTINEL2_L2A:/vsizip/{folder}/raws.zip/MTD.xml:10m:EPSG_32632",
        ),
        ("/vsizip/raws.zip/a/b.tif", "/vsizip/{folder}/raws.zip/a/b.tif"),
        ("/vsizip//else/where.zip/b.tif", "/vsizip//else/where.zip/b.tif"),
        ("/vsis3/bucket/b.tif", "/vsis3/bucket/b.tif"),
        ("vrt://cube.nc?bands=2,1", "vrt://{folder}/cube.nc?bands=2,1"),
        ("https://host/a.tif", "https://host/a.tif"),
        ("NETCDF:https://host/a.nc:red", "NETCDF:https://host/a.nc:red"),
        ("a:b.tif", "{folder}/a:b.tif"),
        ("HDF5:x.tif", "{folder}/HDF5:x.tif"),
        ("later:a.zarr", "{folder}/later:a.zarr"),
    ],
)
def test_the_file_in_a_name_is_anchored_and_the_rest_is_kept(folder: Path, written: str, meant: str) -> None:
    assert anchored_path(written, folder) == meant.replace("{folder}", str(folder))
    assert anchored_path(anchored_path(written, folder), Path("/elsewhere")) == anchored_path(written, folder)


@pytest.mark.parametrize(
    "name", ["cube.nc", "netcdf:cube.nc:B04", "ZARR:img.zarr:/0", "/vsizip/raws.zip/a/b.tif", "a:b.tif"]
)
def test_a_name_is_there_where_its_file_is(folder: Path, name: str) -> None:
    assert is_there(name, folder)
    assert not is_there(name, folder / "elsewhere")


def test_only_prefixes_that_gdal_knows_make_a_name_of_gdals() -> None:
    assert all(map(is_gdal_name, ("gtiff_dir:2:a.tif", "SENTINEL2_L1C:a.xml:10m")))
    assert not any(map(is_gdal_name, ("later:a.tif", "C:a.tif", "a.tif")))
