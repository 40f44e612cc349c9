from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests import products, scenes


def source(path: Path, **more: Any) -> Any:
    return open_source(SourceConfig(kind="bands", path=str(path), **more))


def read(opened: Any) -> Any:
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def raw(number: int, size: float = 30) -> np.ndarray:
    return products.reflected_light(size, number)


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize("archive", [False, True])
def test_a_product_is_the_scene_as_one_geotiff(tmp_path: Path, archive: bool, xml: bool) -> None:
    data = np.stack([raw(number) for number in (2, 3, 4, 5, 6)])
    tif = scenes.write(tmp_path / "a.tif", data, nodata=0, transform=scenes.from_origin(500_000, 4_600_000, 30, 30))
    stacked = open_source(SourceConfig(path=str(tif)))
    root = products.landsat(tmp_path, xml=xml)
    opened = source(products.tarred(root) if archive else root, bands=["blue", "SR_B3", 4, "nir", "swir16"])
    assert (opened.grid, opened.dtype) == (stacked.grid, stacked.dtype)
    assert (read(opened).data == read(stacked).data).all()
    assert (read(opened).valid == read(stacked).valid).all()
    assert opened.notes[0] == "it is Landsat 8 L2SP; its numbers are read as they are"


def test_gains_and_offsets_are_those_of_the_level(tmp_path: Path) -> None:
    surface = read(source(products.landsat(tmp_path), bands=["red", "ST_B10"], radiometry="reflectance"))
    assert surface.data.dtype == np.float32
    assert np.allclose(surface.data[0], raw(4) * 2.75e-5 - 0.2, atol=1e-6)
    assert np.allclose(surface.data[1], raw(10) * 0.00341802 + 149, atol=1e-4)
    assert (surface.valid == (raw(4) > 0)).all()
    top = read(source(products.landsat(tmp_path, "L1TP"), bands=["B4"], radiometry="reflectance", resolution=30))
    assert np.allclose(top.data[0], raw(4) * 2e-5 - 0.1, atol=1e-6)


def test_the_panchromatic_band_gives_the_grid_where_it_is_chosen(tmp_path: Path) -> None:
    opened = source(products.landsat(tmp_path, "L1TP"), bands=["pan", "red"], resampling="nearest")
    assert opened.grid.pixel_size == (15, 15)
    assert (read(opened).data[0] == raw(8, 15)).all()
    assert (read(opened).data[1] == np.kron(raw(4), np.ones((2, 2), np.uint16))).all()


def test_without_names_all_images_come_and_no_quality(tmp_path: Path) -> None:
    root = products.landsat(tmp_path, extra={"QA_PIXEL": np.full((16, 16), 21824, np.uint16)})
    names = [band.name for band in source(root).parts]
    assert names == ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "ST_B10"]
    with pytest.raises(SourceError, match=r"asks for B9, but .*Landsat 8 L2SP.*SR_B2 \(blue\), .* ST_B10 .*QA_PIXEL"):
        source(root, bands=["B9"])


def test_what_is_no_product_of_collection_2_is_refused(tmp_path: Path) -> None:
    root = products.landsat(tmp_path)
    with pytest.raises(SourceError, match="harmonised, but Landsat 8 L2SP has no offset of integers"):
        source(root, radiometry="harmonised")
    level1 = products.landsat(tmp_path, "L1TP", extra={"B11": raw(11)})
    with pytest.raises(SourceError, match="reflectance, of which the metadata of Landsat 8 L1TP say nothing for B11"):
        source(level1, bands=["B4", "B11"], radiometry="reflectance")
    metadata = next(root.glob("*_MTL.txt"))
    metadata.write_text(metadata.read_text().replace("LEVEL", "OTHER"))
    with pytest.raises(SourceError, match="has none of LEVEL2_SURFACE_REFLECTANCE_PARAMETERS and"):
        source(root)
    packed = tmp_path / "scene.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(metadata, metadata.name)
    with pytest.raises(SourceError, match="a compressed tar"):
        source(packed)
