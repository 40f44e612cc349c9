from __future__ import annotations

import json
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


def raw(name: str) -> np.ndarray:
    return products.reflected_light(products.RESOLUTIONS[name], int(name[1:]))


@pytest.mark.parametrize(("level", "offset"), [("L2A", -1000), ("L1C", -1000), ("L2A", None), ("L1C", None)])
@pytest.mark.parametrize("archive", [False, True])
def test_a_product_is_the_scene_as_one_geotiff(tmp_path: Path, level: str, offset: int | None, archive: bool) -> None:
    names = ["B02", "B03", "B04", "B08"]
    stacked = open_source(
        SourceConfig(path=str(scenes.write(tmp_path / "a.tif", np.stack([raw(name) for name in names]), nodata=0)))
    )
    root = products.safe(tmp_path, level, offset)
    opened = source(products.zipped(root) if archive else root, bands=["blue", "B3", 4, "nir"])
    assert (opened.grid, opened.dtype) == (stacked.grid, stacked.dtype)
    assert (read(opened).data == read(stacked).data).all()
    assert (read(opened).valid == read(stacked).valid).all()
    assert 0 < read(opened).valid.mean() < 1


def test_all_images_come_in_the_order_of_the_bands_each_of_its_finest_file(tmp_path: Path) -> None:
    opened = source(products.safe(tmp_path, extra={"SCL": np.full((24, 24), 4, np.uint8)}), resampling="nearest")
    assert [band.name for band in opened.parts] == ["B01", "B02", "B03", "B04", "B05", "B08", "B11"]
    assert opened.grid.pixel_size == (10, 10)
    assert (read(opened).data[1] == raw("B02")).all()
    assert (read(opened).data[4] == np.kron(raw("B05"), np.ones((2, 2), np.uint16))).all()
    assert (read(source(tmp_path / opened.path, bands=["scl"])).data == 4).all()


def test_the_bands_of_a_picture_are_known_by_their_names(tmp_path: Path) -> None:
    root = products.safe(tmp_path)
    assert source(root, bands=["B02", "red", 8, "B03"]).rgb == (1, 3, 0)
    assert source(root, bands=["B02", "B04"]).rgb == ()


def test_harmonised_numbers_are_those_of_products_without_an_offset(tmp_path: Path) -> None:
    values = raw("B02")
    expected = np.where(values == 0, 0, np.maximum(values.astype(int) - 1000, 1))
    assert (values[values > 0] < 1000).any()
    for level in ("L2A", "L1C"):
        got = read(source(products.safe(tmp_path, level), bands=["B02"], radiometry="harmonised"))
        assert got.data.dtype == np.uint16
        assert (got.data[0] == expected).all()
        assert (got.valid == (values > 0)).all()
    old = source(products.safe(tmp_path / "old", "L2A", None), bands=["B02"], radiometry="harmonised")
    assert (read(old).data[0] == values).all()


def test_reflectance_is_by_the_metadata(tmp_path: Path) -> None:
    root = products.safe(tmp_path, offset=-900)
    got = read(source(root, bands=["B04"], radiometry="reflectance"))
    assert got.data.dtype == np.float32
    assert np.allclose(got.data[0], (raw("B04") - 900.0) / 10_000, atol=1e-6)
    assert (got.valid == (raw("B04") > 0)).all()


def test_an_offset_without_a_choice_is_one_line_of_warning(tmp_path: Path) -> None:
    root = products.safe(tmp_path)
    first = source(root, bands=["B02"]).notes[0]
    assert first.startswith("warning: its metadata say BOA_ADD_OFFSET -1000, and raw numbers are read without it")
    assert "\n" not in first
    for radiometry in ("raw", "harmonised", "reflectance"):
        assert not any("warning" in note for note in source(root, bands=["B02"], radiometry=radiometry).notes)
    old = source(products.safe(tmp_path / "old", offset=None), bands=["B02"])
    assert old.notes[0] == "it is Sentinel-2 L2A, processing baseline 02.14; its numbers are read as they are"


def test_a_band_that_is_missing_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"asks for B12, but .*Sentinel-2 L2A.*It has B01 \(coastal\), B02 \(blue\)"):
        source(products.safe(tmp_path), bands=["B02", "B12"])


def test_the_identity_covers_the_archive_and_the_offset(tmp_path: Path) -> None:
    root = products.safe(tmp_path)
    path = products.zipped(root)
    first = source(path, bands=["B02"], radiometry="harmonised").identity()
    assert first == source(path, bands=["B02"], radiometry="harmonised").identity()
    assert first["size"] > 0
    assert json.loads(json.dumps(first)) == first
    assert first != source(path, bands=["B02"], radiometry="raw").identity()
    products.zipped(products.safe(tmp_path, offset=-900))
    second = source(path, bands=["B02"], radiometry="harmonised").identity()
    assert first["files"] != second["files"]
    assert first["calibration"] != second["calibration"]


def test_metadata_that_are_broken_or_reach_outside_are_refused(tmp_path: Path) -> None:
    root = products.safe(tmp_path)
    metadata = root / "MTD_MSIL2A.xml"
    text = metadata.read_text()
    for broken in (
        text[:200],
        text.replace("BOA_QUANTIFICATION_VALUE", "OTHER"),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + text.partition("?>")[2].replace("05.10", "&e;"),
    ):
        metadata.write_text(broken)
        with pytest.raises(SourceError, match=r"MTD_MSIL2A.xml (cannot be read as metadata|has no BOA_QUANT)"):
            source(root, bands=["B02"])


def test_a_folder_without_a_product_and_radiometry_without_metadata_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="names no file per band"):
        source(tmp_path / "empty")
    with pytest.raises(SourceError, match=r"source\.scale_tags is true, which both scale"):
        source(products.safe(tmp_path), radiometry="harmonised", scale_tags=True)
    path = scenes.write(tmp_path / "B1.tif", scenes.position(9, 9, 1))
    with pytest.raises(SourceError, match="is no product with metadata"):
        open_source(SourceConfig(kind="bands", path={"red": str(path)}, radiometry="harmonised"))
