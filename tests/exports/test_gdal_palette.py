from pathlib import Path

import pytest
import rasterio

from pipeline.exports import gdal_palette
from tests.store import specs


def test_the_bare_array_has_palette_names_and_nodata_without_the_vrt(tmp_path: Path) -> None:
    of = specs.spec(zarr_format=2)
    path = specs.store(tmp_path / "a.zarr", of)
    specs.finish(path, of, {}).unlink()
    with rasterio.open(f'ZARR:"{path}":/0/mask') as raster:
        assert raster.colormap(1)[3] == (0x44, 0x55, 0x66, 255)
        assert raster.colorinterp[0].name == "palette"
        assert raster.descriptions == ("class",)
        assert raster.nodata == 255
        assert (raster.read(1) == specs.pixels(of)).all()


@pytest.mark.parametrize(("zarr_format", "name"), [(3, "zarr.json"), (2, ".zarray")])
def test_the_sidecar_lies_beside_the_file_that_gdal_opens(tmp_path: Path, zarr_format: int, name: str) -> None:
    of = specs.spec(zarr_format=zarr_format)
    path = specs.store(tmp_path / "a.zarr", of)
    assert (path / gdal_palette.pam_key(of).removesuffix(".aux.xml")).name == name
    assert (path / gdal_palette.pam_key(of).removesuffix(".aux.xml")).exists()
    specs.finish(path, of, {})
    assert "&lt;fields &amp; co&gt;" in (path / gdal_palette.pam_key(of)).read_text()
