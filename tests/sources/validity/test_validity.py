from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from rasterio.enums import ColorInterp

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources import open_source
from tests import scenes


def everything(path: Path | str, **said: Any) -> Pixels:
    opened = open_source(SourceConfig(path=str(path), **said))
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def notes(path: Path | str, **said: Any) -> str:
    return "; ".join(open_source(SourceConfig(path=str(path), **said)).notes)


def with_alpha(path: Path, data: np.ndarray, alpha: int) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", count=len(data), height=data.shape[1], width=data.shape[2], dtype=data.dtype
    ) as out:
        out.colorinterp = [
            ColorInterp.alpha if k == alpha else ColorInterp.gray if k == 1 else ColorInterp.undefined
            for k in range(1, len(data) + 1)
        ]
        out.write(data)
    return path


@pytest.mark.parametrize("alpha", [2, 3])
def test_an_alpha_that_is_asked_for_is_data_and_one_that_is_not_masks(tmp_path: Path, alpha: int) -> None:
    data = np.full((3, 2, 2), 7, dtype="uint8")
    data[alpha - 1, 0, 0] = 0
    path = with_alpha(tmp_path / "a.tif", data, alpha)
    asked, default = everything(path, bands=[3, 2, 1]), everything(path)
    assert asked.valid.all()
    assert (asked.data == data[::-1]).all()
    assert default.valid.tolist() == [[False, True], [True, True]]
    assert len(default.data) == 2
    assert f"band {alpha} is tagged alpha" in notes(path)
    assert "source.bands: [1, 2, 3]" in notes(path)
    assert "alpha" not in notes(path, bands=[1, 2, 3])


def band_masks(path: Path, valid: np.ndarray) -> Path:
    """A VRT whose two bands have a mask each; (2, rows, cols) where they are valid."""
    data, mask = path.with_suffix(".data.tif"), path.with_suffix(".mask.tif")
    scenes.write(data, np.full(valid.shape, 5, "uint16")), scenes.write(mask, (valid * 255).astype("uint8"))
    source = (
        "<SimpleSource><SourceFilename relativeToVRT='1'>{}</SourceFilename><SourceBand>{}</SourceBand></SimpleSource>"
    )
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{k}">{source.format(data.name, k)}<MaskBand><VRTRasterBand '
        f'dataType="Byte">'
        f"{source.format(mask.name, k)}</VRTRasterBand></MaskBand></VRTRasterBand>"
        for k in (1, 2)
    )
    path.write_text(f'<VRTDataset rasterXSize="{valid.shape[2]}" rasterYSize="{valid.shape[1]}">{bands}</VRTDataset>')
    return path


def test_masks_of_single_bands_count_for_their_band(tmp_path: Path) -> None:
    valid = np.array([[[1, 1, 0, 0]], [[1, 0, 1, 0]]], bool)
    path = band_masks(tmp_path / "masked.vrt", valid)
    assert (everything(path).valid == valid.any(0)).all()
    assert (everything(path, nodata_rule="any").valid == valid.all(0)).all()
    assert (everything(path, nodata_rule="any", bands=[2]).valid == valid[1]).all()
    assert everything(path, nodata=None).valid.all()


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63), 2**62 + 1])
def test_a_nodata_of_64_bits_is_exact(tmp_path: Path, value: int) -> None:
    data = np.array([[5, value, value + 1]], "int64")
    tifffile.imwrite(tmp_path / "a.tif", data, extratags=[(42113, "s", 0, str(value), True)])
    assert everything(tmp_path / "a.tif").valid.tolist() == [[True, False, True]]
    assert everything(tmp_path / "a.tif", nodata=value + 1).valid.tolist() == [[True, True, False]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_float32_cannot_say_is_invalid_whatever_is_said_of_nodata(tmp_path: Path, dtype: str) -> None:
    data = np.array([[[1, np.finfo("float32").max, np.finfo("float32").min, 3.3e38, np.inf]]], dtype)
    if dtype == "float64":
        data[0, 0, 1:3] = 1e39, -4e200
    for nodata in ("auto", None):
        assert everything(scenes.write(tmp_path / f"{dtype}.tif", data), nodata=nodata).valid.tolist() == [
            [True, False, False, True, False]
        ]


def test_each_band_is_compared_in_its_own_dtype(tmp_path: Path) -> None:
    scenes.write(tmp_path / "one.tif", np.array([[[0, 2, 3]]], "uint16"), nodata=0)
    scenes.write(tmp_path / "two.tif", np.array([[[1, 0, 0.1]]], "float32"), nodata=0.1)
    source = '<SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="{{}}" band="{{}}"><NoDataValue>{{}}</NoDataValue>{source}</VRTRasterBand>'
    bands = band.format("UInt16", 1, 0, "one.tif") + band.format("Float32", 2, 0.1, "two.tif")
    (tmp_path / "both.vrt").write_text(f'<VRTDataset rasterXSize="3" rasterYSize="1">{bands}</VRTDataset>')
    got = everything(tmp_path / "both.vrt", nodata_rule="any")
    assert got.data.dtype == "float32"
    assert np.allclose(got.data, [[[0, 2, 3]], [[1, 0, 0.1]]])
    assert got.valid.tolist() == [[False, True, False]]
    assert (everything(tmp_path / "both.vrt", bands=[2, 1]).data == got.data[::-1]).all()
    assert "uint16 and float32, and are read as float32" in notes(tmp_path / "both.vrt")


def zarr_array(path: Path, data: np.ndarray, fill: float = 0, **attributes: Any) -> str:
    array = zarr.open_group(str(path), mode="w", zarr_format=2).create_array(
        "v", shape=data.shape, chunks=(1, 2), dtype=data.dtype, fill_value=fill, attributes=attributes
    )
    array[:] = data
    return f'ZARR:"{path}":/v'


@pytest.mark.parametrize(
    ("attributes", "valid"),
    [
        ({}, [True, True, True]),
        ({"_FillValue": 7}, [True, False, True]),
        ({"missing_value": "8"}, [True, True, False]),
        ({"nodata": [7, 8]}, [True, False, False]),
    ],
)
def test_the_fill_value_of_a_zarr_is_data_and_what_an_attribute_says_is_nodata(
    tmp_path: Path, attributes: dict[str, Any], valid: list[bool]
) -> None:
    path = zarr_array(tmp_path / "a.zarr", np.array([[0, 7, 8]], "uint16"), **attributes)
    assert everything(path).valid.tolist() == [valid]
    assert everything(path, nodata=0).valid.tolist() == [[False, True, True]]


def causes(pixels: Pixels) -> list[str]:
    from pipeline.interfaces import CAUSES

    return [CAUSES[code] for code in pixels.causes.ravel()] if pixels.causes is not None else []


def test_each_pixel_that_is_invalid_has_a_cause(tmp_path: Path) -> None:
    data = np.array([[[1, -9999, np.nan, np.inf, 3.4028235e38, 2]]], "float32")
    pixels = everything(scenes.write(tmp_path / "a.tif", data, nodata=-9999))
    assert causes(pixels) == ["", "nodata", "NaN or infinity", "NaN or infinity", "beyond float32", ""]
    assert causes(everything(tmp_path / "a.tif", nodata=None)) == [
        "",
        "",
        *["NaN or infinity"] * 2,
        "beyond float32",
        "",
    ]
    assert everything(scenes.write(tmp_path / "b.tif", np.ones((1, 2, 2), "uint8"))).causes is None
    alpha = with_alpha(tmp_path / "c.tif", np.array([[[1, 2]], [[0, 9]]], "uint8"), 2)
    assert causes(everything(alpha)) == ["alpha", ""]


def test_bands_that_are_unknown_by_several_causes_are_unknown_together(tmp_path: Path) -> None:
    path = band_masks(tmp_path / "a.vrt", np.array([[[1, 0, 0]], [[1, 0, 1]]], bool))
    text = path.read_text()
    mask = text[text.rindex("<MaskBand>") : text.rindex("</MaskBand>") + len("</MaskBand>")]
    path.write_text(text.replace('band="2">', 'band="2"><NoDataValue>5</NoDataValue>').replace(mask, ""))
    assert causes(everything(path)) == ["", "nodata", "nodata"]
    assert causes(everything(path, nodata_rule="any")) == ["nodata"] * 3
