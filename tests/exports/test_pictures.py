"""PNG and OME-TIFF of a store: pixels, colours, places, and what they cannot hold."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from pipeline.errors import ConfigError
from pipeline.exports import export
from pipeline.exports.task import ExportRequest, ExportTask
from pipeline.geometry.grid import slide_px
from pipeline.store import overviews
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import StoreSpec
from pipeline.store.values import ValuesSpec
from tests.store import specs

META = {"id": "1", "tiles": {"block": 64}}


def task(folder: Path, spec: StoreSpec, to: str, layer: str | None = None, **options: Any) -> ExportTask:
    path = folder / "a.zarr"
    if not path.exists():
        specs.store(path, spec)
        overviews.build_overviews(path, spec)
    return ExportTask(path, spec, META, ExportRequest(to=to, layer=layer, options=options))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_png_has_the_colours_of_the_classes(tmp_path: Path, dtype: str) -> None:
    spec = specs.spec(dtype=dtype, nodata=255 if dtype == "uint8" else 65535)
    image = np.array(Image.open(export(task(tmp_path, spec, "png"))).convert("RGBA"))
    table = np.zeros((spec.nodata + 1, 4), dtype=np.uint8)
    for row in spec.classes:
        table[row.code] = (*row.rgb, 255)
    assert (image == table[specs.pixels(spec)]).all()


@pytest.mark.nightly("jobs", after=4)
@pytest.mark.parametrize("grid", [name for name in specs.GRIDS if name != "rotated"])
@pytest.mark.parametrize(("side", "level"), [(8192, 0), (65, 1), (20, 3)])
def test_a_png_of_a_level_lies_where_the_raster_does(tmp_path: Path, grid: str, side: int, level: int) -> None:
    spec = specs.spec(grid)
    png = export(task(tmp_path, spec, "png", max_side=side))
    stored = np.asarray(open_layer(tmp_path / "a.zarr", level, "mask")[:])
    with rasterio.open(png) as raster:
        assert (raster.height, raster.width) == stored.shape
        assert tuple(raster.transform)[:6] == pytest.approx(spec.grid.level(level).transform)


def test_a_store_without_levels_is_thinned(tmp_path: Path) -> None:
    png = export(task(tmp_path, specs.spec(levels=1), "png", max_side=40))
    assert Image.open(png).size == (33, 25)


def test_a_png_of_several_bands_is_refused_by_name(tmp_path: Path) -> None:
    spec = specs.spec(layers=("mask", "probabilities"))
    with pytest.raises(ConfigError, match=r"layer probabilities .* PNG cannot hold. Export it as cog"):
        export(task(tmp_path, spec, "png", "probabilities"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("layer", ["mask", "confidence", "probabilities"])
@pytest.mark.parametrize("grid", ["of a slide", "with a code"])
def test_an_ome_tiff_has_the_levels_of_the_store(tmp_path: Path, layer: str, grid: str) -> None:
    spec = specs.spec(grid, layers=("mask", "confidence", "probabilities"))
    file = export(task(tmp_path, spec, "ome-tiff", layer))
    with tifffile.TiffFile(file) as tiff:
        levels = tiff.series[0].levels
        stored = [np.asarray(open_layer(tmp_path / "a.zarr", k, layer)[:]) for k in range(spec.levels)]
        assert all(np.array_equal(level.asarray(), array) for level, array in zip(levels, stored, strict=True))
        pixels = ET.fromstring(tiff.ome_metadata or "").find(".//{*}Pixels")
        assert pixels is not None
        assert (pixels.get("PhysicalSizeX") == "0.25") == (grid == "of a slide")
        check_size(tiff, pixels, grid == "of a slide")
        names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
        assert names == ([row.name for row in spec.classes] if layer == "probabilities" else [layer])


def check_size(tiff: tifffile.TiffFile, pixels: ET.Element, of_slide: bool) -> None:
    """A pixel has its size in the words of OME and of TIFF, at every level."""
    plane = pixels.find("{*}Plane")
    if not of_slide:
        assert plane is None
        return
    assert plane is not None
    assert [plane.get(f"Position{axis}") for axis in "XY"] == ["0.0", "0.0"]
    for k, level in enumerate(tiff.series[0].levels):
        page = level.keyframe
        assert page.resolution == pytest.approx((10_000 / (0.25 * 2**k),) * 2)
        assert page.resolutionunit.name == "CENTIMETER"
        assert page.is_tiled


def test_an_ome_tiff_of_a_mask_below_its_slide_has_its_own_size_and_place(tmp_path: Path) -> None:
    """A pixel of four of the slide: its centre lies one and a half of these behind that of the slide's first."""
    slide = specs.GRIDS["of a slide"]
    grid = replace(slide, transform=(1.0, 0.0, 4.0, 0.0, 1.0, 2.0), image_px=slide_px((4.0, 4.0), (8.0, 16.0)))
    with tifffile.TiffFile(export(task(tmp_path, specs.spec(grid), "ome-tiff", "mask"))) as tiff:
        pixels = ET.fromstring(tiff.ome_metadata or "").find(".//{*}Pixels")
        assert pixels is not None
        assert [pixels.get(f"PhysicalSize{axis}") for axis in "XY"] == ["1.0", "1.0"]
        plane = pixels.find("{*}Plane")
        assert plane is not None
        assert [float(plane.get(f"Position{axis}") or "") for axis in "XY"] == [4.375, 2.375]


VALUES = {
    "floats": ValuesSpec(channels=("height", "biomass")),
    "halves": ValuesSpec(channels=("height",), dtype="float16"),
    "integers": ValuesSpec(
        channels=("height", "biomass"), dtype="int16", scale=(0.5, 2.0), offset=(0.0, 9.0), nodata=-99
    ),
}


def store_of_values(folder: Path, values: ValuesSpec) -> tuple[StoreSpec, np.ndarray]:
    """A store of numbers that differ along all axes, with a corner of nodata."""
    spec = specs.spec(layers=("values",), classes=(), values=values)
    create(folder / "a.zarr", spec, {"config": {"output": {"layers": ["values"]}}})
    k, rows, cols = np.mgrid[: len(values.channels), : spec.grid.height, : spec.grid.width]
    numbers = (300 * k + rows - cols).astype(values.dtype)
    numbers[:, :40, :40] = values.fill
    open_layer(folder / "a.zarr", 0, "values")[:] = numbers
    overviews.build_overviews(folder / "a.zarr", spec)
    return spec, numbers


@pytest.mark.parametrize("values", VALUES)
def test_an_ome_tiff_of_values_has_their_channels(tmp_path: Path, values: str) -> None:
    spec, numbers = store_of_values(tmp_path, VALUES[values])
    with tifffile.TiffFile(export(task(tmp_path, spec, "ome-tiff"))) as tiff:
        assert np.array_equal(tiff.series[0].levels[0].asarray().reshape(numbers.shape), numbers, equal_nan=True)
        assert len(tiff.series[0].levels) == spec.levels
        names = [channel.get("Name") for channel in ET.fromstring(tiff.ome_metadata or "").iterfind(".//{*}Channel")]
        assert names == list(VALUES[values].channels)


@pytest.mark.parametrize("values", VALUES)
def test_a_png_of_values_is_refused_by_name(tmp_path: Path, values: str) -> None:
    spec, _ = store_of_values(tmp_path, VALUES[values])
    with pytest.raises(ConfigError, match=r"layer values .* PNG cannot hold. Export it as cog"):
        export(task(tmp_path, spec, "png"))


@pytest.mark.parametrize("to", ["cog", "png", "ome-tiff"])
def test_an_export_is_the_same_to_the_byte(tmp_path: Path, to: str) -> None:
    first = export(task(tmp_path, specs.spec(), to)).read_bytes()
    assert export(task(tmp_path, specs.spec(), to)).read_bytes() == first
