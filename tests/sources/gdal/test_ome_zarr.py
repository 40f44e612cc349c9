from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import zarr
from rasterio.io import DatasetReader

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from pipeline.sources.gdal.ome_zarr import ome_size
from pipeline.sources.raster import RasterSource
from tests import scenes
from tests.sources.validity.test_validity import everything

UNITS = {"y": "micrometer", "x": "nanometer"}


def multiscales(
    units: dict[str, str] = UNITS, axes: str = "tczyx", paths: tuple[str, ...] = ("0", "1"), **more: Any
) -> list[dict[str, Any]]:
    """Two levels: y 0.5 and x 250 at the first, twice that at the second."""
    rows = [
        {
            "name": name,
            "type": "space" if name in "zyx" else "other",
            **({"unit": units[name]} if name in units else {}),
        }
        for name in axes
    ]
    scales = [[{"y": 0.5 * 2**k, "x": 250 * 2**k}.get(name, 3) for name in axes] for k in range(2)]
    levels = [
        {
            "path": path,
            "coordinateTransformations": [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": [1] * len(axes)},
            ],
        }
        for path, scale in zip(paths, scales, strict=True)
    ]
    return [{"version": "0.4", "axes": rows, "datasets": levels, **more}]


def image(path: Path, separator: str = "/", said: list[dict[str, Any]] | None = None, folder: str = "") -> Path:
    """An OME-Zarr of Zarr v2, in which one chunk alone was written; its fill value is 7."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(path, mode="w", zarr_format=2)
        for k in range(2):
            shape = (1, 3, 1, 64 >> k, 96 >> k)
            key = {"name": "v2", "separator": separator}
            # a dict will do
            array = group.create_array(
                f"{folder}{k}",
                shape=shape,
                chunks=(1, 3, 1, 32, 32),
                dtype="uint16",
                fill_value=7,
                chunk_key_encoding=key,
            )  # type: ignore[arg-type]
            array[:, :, :, :32, :32] = scenes.position(64, 96)[None, :, None, : array.shape[3], : array.shape[4]][
                :, :, :, :32, :32
            ]
        group.attrs["multiscales"] = said or multiscales(paths=(f"{folder}0", f"{folder}1"))
    return path


def opened(name: object) -> RasterSource:
    return cast(RasterSource, open_source(SourceConfig(path=str(name))))


@pytest.mark.parametrize("separator", [".", "/"])
def test_a_level_has_the_size_that_its_multiscales_say(tmp_path: Path, separator: str) -> None:
    path = image(tmp_path / "a.zarr", separator)
    for name, factor in ((f'ZARR:"{path}":/0', 1), (f'ZARR:"{path}":/1', 2), (path / "0", 1)):
        source = opened(name)
        assert (source.grid.unit, source.grid.pixel_size) == ("um", (0.5 * factor, 0.25 * factor))
        assert any("by the multiscales of its OME-Zarr" in note for note in source.notes)


@pytest.mark.parametrize("separator", [".", "/"])
def test_a_chunk_that_is_missing_is_its_fill_value_and_that_is_data(tmp_path: Path, separator: str) -> None:
    path = image(tmp_path / "a.zarr", separator)
    pixels = everything(f'ZARR:"{path}":/0')
    expected = np.full((3, 64, 96), 7, "uint16")
    expected[:, :32, :32] = scenes.position(64, 96)[:, :32, :32]
    assert (pixels.data == expected).all()
    assert pixels.valid.all()


def test_arrays_some_folders_down_and_a_scale_of_the_whole_image(tmp_path: Path) -> None:
    said = multiscales(
        paths=("field/0", "field/1"), coordinateTransformations=[{"type": "scale", "scale": [1, 1, 1, 2, 4]}]
    )
    path = image(tmp_path / "a.zarr", said=said, folder="field/")
    assert opened(f'ZARR:"{path}":/field/1').grid.pixel_size == (2.0, 2.0)


@pytest.mark.parametrize(
    "said", [multiscales({}), multiscales({"y": "pixel", "x": "pixel"}), multiscales(paths=("a", "b")), [], [3], 5]
)
def test_what_names_no_length_or_another_array_says_nothing(tmp_path: Path, said: Any) -> None:
    path = image(tmp_path / "a.zarr")
    (path / ".zattrs").write_text(json.dumps({"multiscales": said}))
    assert opened(f'ZARR:"{path}":/0').grid.unit == "px"


@dataclass
class Files:
    """A dataset of GDAL, of which only its files are asked: the GDAL here reads no Zarr v3."""

    files: list[str]


def test_zarr_v3_says_it_in_its_attribute_ome(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text(
        json.dumps({"attributes": {"ome": {"version": "0.5", "multiscales": multiscales()}}})
    )
    size = ome_size(cast(DatasetReader, Files([str(tmp_path / "1" / "zarr.json")])))
    assert size is not None
    assert (size.height, size.width) == (1.0, 0.5)
