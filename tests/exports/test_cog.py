"""COGs of a store: pixels, levels, georeference, classes, parts, and whose file is replaced."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.errors import BlocksFailed, ConfigError, ReadError
from pipeline.exports.geotiff import cog
from pipeline.exports.geotiff.tiles import TILE
from pipeline.exports.layer_part import LayerPart, exported_part
from pipeline.exports.mark import Mark, is_foreign
from pipeline.geometry.grid import Grid
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.store import overviews
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import StoreSpec
from tests import runs, scenes
from tests.store import specs

MARK = Mark(store="a.zarr", id="1", state="2")


def written(folder: Path, spec: StoreSpec, layer: str = "mask", window: Window | None = None) -> tuple[Path, LayerPart]:
    """The COG of a store of stripes."""
    path = specs.store(folder / "a.zarr", spec)
    overviews.build_overviews(path, spec)
    whole = Window(row=0, col=0, height=spec.grid.height, width=spec.grid.width)
    part = LayerPart(store=path, spec=spec, name=layer, window=window or whole, block=64, sparse=False)
    cog.write_cog(part, MARK, folder / "a.tif")
    return folder / "a.tif", part


def assert_equal_levels(file: Path, part: LayerPart) -> None:
    """Every level of the file is that of the store."""
    for level in range(part.levels):
        height, width = part.size(level)
        stored = part.read(level, Window(row=0, col=0, height=height, width=width))
        with rasterio.open(file, **({"overview_level": level - 1} if level else {})) as raster:
            pixels = raster.read() if stored.ndim == 3 else raster.read(1)
            assert np.array_equal(pixels, stored, equal_nan=stored.dtype.kind == "f")


LARGE = Grid(height=2 * TILE + 77, width=3 * TILE + 5, transform=specs.NORTH_UP, wkt=specs.UTM, unit="crs")


@pytest.mark.nightly("jobs", after=4)
@pytest.mark.parametrize("grid", [*specs.GRIDS, LARGE], ids=str)
@pytest.mark.parametrize("big", [False, True])
def test_pixels_levels_and_georeference_are_the_stores(
    tmp_path: Path, grid: str | Grid, big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cog, "CLASSIC_BYTES", 0 if big else cog.CLASSIC_BYTES)
    spec = specs.spec(grid, chunk=128 if grid is LARGE else 32)
    file, part = written(tmp_path, spec)
    assert struct.unpack_from("<H", file.read_bytes(), 2) == (43 if big else 42,)
    assert_equal_levels(file, part)
    with rasterio.open(file) as raster:
        assert tuple(raster.transform)[:6] == spec.grid.transform
        assert (raster.crs is None) == (spec.grid.wkt is None)
        assert spec.grid.wkt is None or raster.crs == rasterio.CRS.from_wkt(spec.grid.wkt)
        assert raster.overviews(1) == [2**k for k in range(1, spec.levels)]
        assert raster.nodata == 255
        assert [raster.colormap(1)[code] for code in (0, 3, 255)] == [
            (0x11, 0x22, 0x33, 255),
            (0x44, 0x55, 0x66, 255),
            (0, 0, 0, 0),
        ]


@pytest.mark.nightly("jobs", after=3)
@pytest.mark.parametrize("layer", ["confidence", "probabilities", "entropy", "variance"])
@pytest.mark.parametrize("probabilities", ["uint8", "float16"])
def test_other_layers_have_bands_and_scales(tmp_path: Path, layer: str, probabilities: str) -> None:
    spec = specs.spec(
        layers=("mask", "confidence", "probabilities", "entropy", "variance"), probabilities=probabilities
    )
    file, part = written(tmp_path, spec, layer)
    assert_equal_levels(file, part)
    with rasterio.open(file) as raster:
        expected = tuple(row.name for row in spec.classes) if layer == "probabilities" else (layer,)
        assert raster.descriptions == expected
        scaled = part.layer.dtype == "uint8"
        assert raster.scales[0] == pytest.approx({"entropy": 1 / 254}.get(layer, 1 / 255) if scaled else 1)


def test_sixteen_bits_keep_their_palette(tmp_path: Path) -> None:
    file, part = written(tmp_path, specs.spec(dtype="uint16", nodata=65535))
    assert_equal_levels(file, part)
    with rasterio.open(file) as raster:
        assert raster.colormap(1)[3] == (0x44, 0x55, 0x66, 255)
        assert raster.nodata == 65535


def test_a_slide_keeps_its_pixel_size(tmp_path: Path) -> None:
    file, _ = written(tmp_path, specs.spec("of a slide"))
    with rasterio.open(file) as raster:
        tags = raster.tags()
        assert float(tags["TIFFTAG_XRESOLUTION"]) == pytest.approx(10_000 / 0.25)
        assert (tags["TIFFTAG_RESOLUTIONUNIT"], tags["WHOLECLOTH_UNIT"]) == ("3 (pixels/cm)", "um")


def test_a_part_lies_where_it_belongs(tmp_path: Path) -> None:
    window = Window.of(Span(64, 100), Span(32, 96))
    file, part = written(tmp_path, specs.spec(), window=window)
    assert part.levels == 2  # 36 × 64 px: the next level of the store would be smaller than one chunk
    assert_equal_levels(file, part)
    with rasterio.open(file) as raster:
        assert (raster.read(1) == specs.pixels(part.spec)[64:100, 32:96]).all()
        assert tuple(raster.transform)[:6] == (10.0, 0.0, 500_320.0, 0.0, -10.0, 4_599_360.0)


def test_a_part_off_the_lattice_has_the_levels_that_meet_its_corner(tmp_path: Path) -> None:
    _, part = written(tmp_path, specs.spec(chunk=16), window=Window.of(Span(16, 100), Span(24, 130)))
    assert [part.window.row % 2**k or part.window.col % 2**k for k in range(part.levels)] == [0] * part.levels
    assert part.levels == 4


def test_the_mark_stands_in_the_first_bytes(tmp_path: Path) -> None:
    file, _ = written(tmp_path, specs.spec())
    assert not is_foreign(file, "a.zarr")
    assert is_foreign(file, "b.zarr")
    assert str(MARK).encode() in file.read_bytes()[:512]


def test_tiles_that_nothing_is_written_in_take_no_bytes(tmp_path: Path) -> None:
    """A hundred blocks anywhere in 10⁶ × 10⁶ px: time and size follow the blocks."""
    side = 10**5
    spec = specs.spec(Grid(height=side, width=side), chunk=512)
    path = tmp_path / "a.zarr"
    create(path, spec, {"blocks": [98, 98], "tiles": {"block": 1024}, "asked": 2})
    for block in ((3, 4), (90, 7)):
        open_layer(path, 0, "mask")[block[0] * 1024 : block[0] * 1024 + 9, block[1] * 1024 : block[1] * 1024 + 5] = 7
        Ledger(path).commit(block, {"chunks": {}})
    overviews.build_overviews(path, spec, block=1024)
    part = exported_part(path, spec, {"tiles": {"block": 1024}, "asked": 2}, "mask")
    assert part.window == Window.of(Span(3072, 91 * 1024), Span(4096, 8192))
    cog.write_cog(part, MARK, tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert int((raster.read(1) == 7).sum()) == 2 * 45
    assert (tmp_path / "a.tif").stat().st_size < 200_000


def config(folder: Path, name: str = "job", **output: Any) -> Path:
    return scenes.config(folder, name, output={"exports": "auto", **output})


def test_a_run_leaves_a_cog_with_names_and_styles(tmp_path: Path) -> None:
    report = runs.go(config(tmp_path))
    assert report.files["cog"] == str(tmp_path / "job.mask.tif")
    for name in ("job.mask.tif", "job.vrt"):
        with rasterio.open(tmp_path / name) as raster:
            assert (raster.read(1) == np.asarray(open_layer(tmp_path / "job.zarr", 0, "mask")[:])).all()
    assert "<Category>b</Category>" in (tmp_path / "job.mask.tif.aux.xml").read_text()
    for name in ("job.mask.qml", "job.qml"):
        assert 'label="b" color="#d95f02"' in (tmp_path / name).read_text()
    assert sorted(path.name for path in tmp_path.glob("job*partial")) == []


@pytest.mark.slow
def test_debians_gdal_sees_names_colours_and_levels(tmp_path: Path) -> None:
    """Whichever gdalinfo is installed."""
    runs.go(config(tmp_path))
    for name in ("job.mask.tif", "job.vrt"):
        done = subprocess.run(["gdalinfo", str(tmp_path / name)], capture_output=True, text=True, check=True)
        assert "1: b" in done.stdout
        assert "1: 217,95,2,255" in done.stdout
        assert "Overviews: 210x150" in done.stdout


def test_a_run_that_does_nothing_leaves_the_cog_and_a_new_colour_remakes_it(tmp_path: Path) -> None:
    runs.go(config(tmp_path))
    before = (tmp_path / "job.mask.tif").stat().st_ino
    runs.go(config(tmp_path))
    assert (tmp_path / "job.mask.tif").stat().st_ino == before
    runs.go(config(tmp_path), 'model.classes=[{name: a, color: "#000001"}, {name: b}, {name: c}, {name: d}]')
    assert (tmp_path / "job.mask.tif").stat().st_ino != before
    with rasterio.open(tmp_path / "job.mask.tif") as raster:
        assert raster.colormap(1)[0] == (0, 0, 1, 255)


def test_a_foreign_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "job.mask.tif").write_bytes(b"foreign")
    report = runs.go(config(tmp_path))
    assert report.files["cog"] == str(tmp_path / "job.zarr.mask.tif")
    with pytest.raises(ConfigError, match=r"job\.mask\.tif exists, was not written for job\.zarr"):
        runs.go(config(tmp_path, exports=["cog"]), fresh=True)
    assert (tmp_path / "job.mask.tif").read_bytes() == b"foreign"


def test_a_file_that_the_config_names_is_refused_before_the_first_pixel(tmp_path: Path) -> None:
    (tmp_path / "other.tif").write_bytes(b"foreign")
    with pytest.raises(ConfigError, match="was not written for"):
        runs.go(config(tmp_path, exports=[{"to": "cog", "out": str(tmp_path / "other.tif")}]))
    assert not (tmp_path / "job.zarr").exists()
    with pytest.raises(ConfigError, match="no layer confidence"):
        runs.go(config(tmp_path, exports=[{"to": "cog", "layer": "confidence"}]))
    with pytest.raises(ConfigError, match="twice"):
        runs.go(config(tmp_path, exports=["cog", {"to": "cog", "layer": "mask"}]))


def test_fresh_removes_what_lies_beside_the_store_first(tmp_path: Path) -> None:
    runs.go(config(tmp_path))
    runs.go(config(tmp_path, exports=[]), fresh=True)
    assert sorted(path.name for path in tmp_path.glob("job*")) == [
        "job.png",
        "job.report.json",
        "job.vrt",
        "job.yaml",
        "job.zarr",
    ]


def test_a_run_with_failed_blocks_leaves_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.go(config(tmp_path))
    Ledger(tmp_path / "job.zarr").drop((0, 0))
    monkeypatch.setattr("pipeline.inference.block_task.write_block", _fail, raising=True)
    with pytest.raises(BlocksFailed):
        runs.go(config(tmp_path))
    assert list(tmp_path.glob("job.mask*")) == []


def _fail(*args: object, **kwargs: object) -> None:
    raise ReadError("broken")


def test_a_mark_names_its_store_whatever_its_name(tmp_path: Path) -> None:
    odd = replace(MARK, store="a b&c.zarr")
    (tmp_path / "file").write_text(f"<!-- {odd} -->")
    assert not is_foreign(tmp_path / "file", "a b&c.zarr")
    assert is_foreign(tmp_path / "file", "a b")
