"""Networks that return numbers: the layer values equals one pass over the whole raster, however it is stored."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import xarray
import zarr
from torch import nn

import pipeline
from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.geometry.shards import Shard
from pipeline.planning.describe import describe
from pipeline.planning.plan_rows import plan_rows
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.running.finish import complete_store
from pipeline.store.files import files_at, upload_checksums
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer
from pipeline.store.respec import read_spec
from pipeline.store.status import status
from tests import runs, scenes

HEIGHT, WIDTH = 150, 210
NAMES = ["height", "bio mass"]


class Regression(nn.Module):
    """Two numbers per pixel, of unlike size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return torch.cat([20 * y[:, :1], 300 + 100 * y[:, 1:]], 1)


class Whole(nn.Module):
    """Numbers that depend on the whole tile a little, so that tiles are blended."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y + 0.01 * y.mean((2, 3), keepdim=True)


def job(folder: Path, name: str = "job", network: type[nn.Module] = Regression, **sections: dict[str, Any]) -> Path:
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", HEIGHT, WIDTH)
    file = folder / f"{network.__name__}.pt"
    if not file.exists():
        with torch.random.fork_rng():
            torch.manual_seed(5)
            scenes.script(network(), file)
    model = {"path": str(file), "channels": NAMES, "classes": None, **sections.pop("model", {})}
    output = {"layers": ["values"], **sections.pop("output", {})}
    return scenes.config(folder, name, model=model, output=output, **sections)


def whole(folder: Path, network: str = "Regression") -> tuple[np.ndarray, np.ndarray]:
    """(channels, rows, cols) of one pass over the whole raster, and where it is valid."""
    raw = scenes.read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]
    with torch.no_grad():
        return torch.jit.load(str(folder / f"{network}.pt"))(x)[0].numpy(), valid


def stored(folder: Path, name: str = "job", level: int = 0) -> np.ndarray:
    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / str(level) / "values", mode="r")[:])


def pyramid(values: np.ndarray) -> np.ndarray:
    """Mean of the valid of 2×2, in plain numpy."""
    _, rows, cols = values.shape
    padded = np.pad(values.astype(float), ((0, 0), (0, rows % 2), (0, cols % 2)), constant_values=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # four invalid pixels have no mean
        return np.nanmean([padded[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)


@pytest.mark.parametrize(
    ("block", "zarr_format", "shard"), [(64, 3, 64), (128, 2, "none"), (192, 3, 192), (128, 3, 128)]
)
def test_values_are_those_of_the_whole_raster(tmp_path: Path, block: int, zarr_format: int, shard: object) -> None:
    report = runs.go(job(tmp_path, output={"block": block, "zarr_format": zarr_format, "shard": shard}))
    expected, valid = whole(tmp_path)
    found = stored(tmp_path)
    assert report.complete
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, valid], expected[:, valid], rtol=1e-5, atol=1e-4)
    assert np.isnan(found[:, ~valid]).all()
    for level in (1, 2):
        below = pyramid(stored(tmp_path, level=level - 1))
        np.testing.assert_allclose(stored(tmp_path, level=level), below, rtol=1e-6)


def test_a_network_whose_tiles_are_blended_gives_the_same_whatever_the_blocks(tmp_path: Path) -> None:
    tile = {"size": 64, "overlap": 0.5}
    for block in (64, 128):
        runs.go(job(tmp_path, f"b{block}", Whole, output={"block": block}, tile=tile))
    np.testing.assert_array_equal(stored(tmp_path, "b64"), stored(tmp_path, "b128"))
    expected, valid = whole(tmp_path, "Whole")
    found = stored(tmp_path, "b64")
    assert np.abs(found - expected)[:, valid].max() < 0.1  # the mean of a tile is not that of the raster
    assert np.isnan(found[:, ~valid]).all()


def test_logits_returned_as_values_are_those_that_the_mask_is_made_of(tmp_path: Path) -> None:
    runs.go(scenes.config(tmp_path, "job", output={"layers": ["mask", "values", "confidence"]}))
    raw = scenes.read(tmp_path / "scene.tif")
    valid = (raw != 0).any(0)
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]
    with torch.no_grad():
        expected = torch.jit.load(str(tmp_path / "unet.pt"))(x)[0].numpy()
    found = stored(tmp_path)
    np.testing.assert_allclose(found[:, valid], expected[:, valid], atol=1e-5)
    mask = open_layer(tmp_path / "job.zarr", 0, "mask")[:]
    np.testing.assert_array_equal(mask[valid], found.argmax(0)[valid])
    assert list(open_layer(tmp_path / "job.zarr", 0, "values").attrs["channels"]) == ["a", "b", "c", "d"]


def test_an_activation_that_is_named_is_applied_and_none_otherwise(tmp_path: Path) -> None:
    runs.go(job(tmp_path, model={"output": {"activation": "sigmoid"}}))
    expected, valid = whole(tmp_path)
    np.testing.assert_allclose(
        stored(tmp_path)[:, valid], 1 / (1 + np.exp(-expected.astype(float)))[:, valid], atol=1e-5
    )


INTEGERS = {"values_dtype": "int16", "values_scale": [0.01, 0.001], "values_offset": [0, 300]}


@pytest.mark.parametrize("block", [64, 128])
def test_integers_are_scaled_clipped_and_counted(tmp_path: Path, block: int) -> None:
    report = runs.go(job(tmp_path, output={**INTEGERS, "block": block}))
    expected, valid = whole(tmp_path)
    steps = np.rint((expected - np.array([0, 300])[:, None, None]) / np.array([0.01, 0.001])[:, None, None])
    found = stored(tmp_path)
    assert found.dtype == np.int16
    assert np.abs(found.astype(int) - steps.clip(-32767, 32767))[:, valid].max() <= 1
    assert (found[:, ~valid] == -32768).all()
    clipped = [int(((plane < -32767) | (plane > 32767))[valid].sum()) for plane in steps]
    assert clipped[0] == 0
    assert clipped[1] > 0
    assert np.abs(np.array(report.clipped) - clipped).max() <= 2  # a number within rounding of the limit
    assert report.whole is not None
    assert report.whole["clipped"] == report.clipped
    written = json.loads((tmp_path / "job.report.json").read_text())
    assert written["clipped"] == report.clipped
    attributes = dict(open_layer(tmp_path / "job.zarr", 0, "values").attrs)
    assert (attributes["scale"], attributes["offset"]) == ([0.01, 0.001], [0, 300])
    assert attributes["nodata"] == -32768
    assert "scale_factor" not in attributes


def test_clipped_pixels_of_a_resumed_run_and_of_finish_are_those_of_one_run(tmp_path: Path) -> None:
    once = runs.go(job(tmp_path, "once", output={**INTEGERS, "block": 64}))
    parts = job(tmp_path, "parts", output={**INTEGERS, "block": 64})
    for index in (1, 2):
        runs.go(parts, shard=Shard(index=index, count=2))
    report = complete_store(tmp_path / "parts.zarr", lambda _: None)
    assert report.whole == once.whole
    again = runs.go(parts)
    assert (again.done, again.whole) == (0, once.whole)


@pytest.mark.parametrize("nodata", [-9, -128, 127])
def test_a_number_that_would_be_nodata_goes_one_step_further(tmp_path: Path, nodata: int) -> None:
    output = {"values_dtype": "int8", "values_scale": 0.3, "values_offset": [0, 300], "nodata": nodata}
    report = runs.go(job(tmp_path, output=output))
    expected, valid = whole(tmp_path)
    steps = np.rint((expected - np.array([0, 300])[:, None, None]) / 0.3).clip(-128, 127)
    steps[steps == nodata] = nodata + 1 if nodata < 127 else nodata - 1
    found = stored(tmp_path)
    assert (np.abs(found.astype(int) - steps)[:, valid] <= 2).all()
    assert ((found == nodata) == ~valid).all()
    assert sum(report.clipped) > 0
    above = stored(tmp_path, level=1)
    numbers = np.where(found == nodata, np.nan, found.astype(float))
    mean = np.floor(pyramid(numbers) + 0.5)
    mean[mean == nodata] = nodata + 1 if nodata < 127 else nodata - 1
    np.testing.assert_array_equal(above, np.nan_to_num(mean, nan=nodata))


def test_half_floats_are_clipped_to_what_they_hold(tmp_path: Path) -> None:
    class Large(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :2] * 40000

    report = runs.go(job(tmp_path, network=Large, output={"values_dtype": "float16"}))
    expected, valid = whole(tmp_path, "Large")
    found = stored(tmp_path)
    np.testing.assert_allclose(found[:, valid].astype(float), expected[:, valid].clip(-65504, 65504), rtol=1e-3)
    assert report.clipped == [int((np.abs(plane) > 65504)[valid].sum()) for plane in expected]
    assert np.isfinite(found[:, valid]).all()


def test_within_an_area_only_what_is_asked_for_is_counted_and_written(tmp_path: Path) -> None:
    job(tmp_path)
    ring = [[500_100, 4_599_900], [501_300, 4_599_900], [501_300, 4_599_200], [500_100, 4_599_900]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "aoi.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    path = job(tmp_path, source={"aoi": str(tmp_path / "aoi.geojson")}, output=INTEGERS)
    report = runs.go(path)
    expected, _ = whole(tmp_path)
    found = stored(tmp_path)
    inside = found[0] != -32768
    assert 0 < inside.sum() < inside.size
    steps = np.rint((expected[1] - 300) / 0.001)
    assert abs(report.clipped[1] - int((np.abs(steps) > 32767)[inside].sum())) <= 2


def digest(store: Path) -> dict[str, str]:
    """Checksum of every chunk and record."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and "lease" not in path.parts and path.parent != store
    }


def test_a_run_that_is_resumed_leaves_the_same_bytes(tmp_path: Path) -> None:
    path = job(tmp_path, output={"block": 64})
    runs.go(path)
    store = tmp_path / "job.zarr"
    before = digest(store)
    ledger = Ledger(store)
    for block in sorted(ledger.committed())[::2]:
        ledger.drop(block)
    (store / "1/values/ledger/r00000/b00000.json").unlink()
    report = runs.go(path)
    assert report.done > 0
    assert digest(store) == before
    assert not list(store.rglob("mask"))


def test_another_dtype_or_scale_is_another_job_and_other_names_are_not(tmp_path: Path) -> None:
    path = job(tmp_path, output=INTEGERS)
    runs.go(path)
    for override in ("output.values_dtype=int8", "output.values_scale=0.02", "output.nodata=-1"):
        with pytest.raises(pipeline.PipelineError, match="made by another job"):
            runs.go(path, override)
    runs.go(path, "model.channels=[a, b]")
    assert read_spec(tmp_path / "job.zarr").values.channels == ("a", "b")
    assert list(zarr.open_array(tmp_path / "job.zarr/1/channel", mode="r").attrs["names"]) == ["a", "b"]


def test_a_plan_names_channels_and_what_integers_hold(tmp_path: Path) -> None:
    planned = prepare_job(load_config(job(tmp_path, output=INTEGERS)))
    assert describe(planned)["values"]["channels"] == tuple(NAMES)
    rows = [sentence for name, sentence in plan_rows(planned) if name == "output"]
    assert any("height, bio mass" in row and "-327.67 to 327.67" in row for row in rows), rows


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["output.values_dtype=int16"], "needs values_scale"),
        (["output.values_scale=0.1"], "are for int16 and int8"),
        (["output.values_dtype=int8", "output.values_scale=0"], "numbers above 0"),
        (["output.values_dtype=int8", "output.values_scale=[1, 2, 3]"], "lists 3 numbers"),
        (["output.values_dtype=int8", "output.values_scale=1", "output.nodata=300"], "does not fit values_dtype int8"),
        (["output.nodata=0"], "leave it auto"),
        (["output.layers=[values, confidence]"], "or values alone"),
        (["output.min_confidence=0.5"], "min_confidence is of classes"),
        (["model.channels=[a]"], "lists 1 names"),
        (["model.channels=[a, a]"], "a name of its own"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_first_pixel(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare_job(load_config(job(tmp_path), overrides))


def test_averaged_probabilities_and_values_beside_a_mask_do_not_go_together(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, output={"layers": ["mask", "values"]}, tile={"augment": "flips"})
    with pytest.raises(ConfigError, match=r"tile\.blend: logits"):
        prepare_job(load_config(path, ["tile.blend=probabilities"]))


@pytest.mark.parametrize("output", [{}, INTEGERS, {"values_dtype": "float16"}], ids=["float32", "int16", "float16"])
def test_a_store_of_values_is_certified_and_a_changed_number_is_a_fault(tmp_path: Path, output: dict[str, Any]) -> None:
    path = job(tmp_path, output={**output, "block": 64, "certificate": True})
    report = runs.go(path)
    assert report.certificate is not None
    assert report.certificate["passed"]
    assert "tiled equals whole" in report.certificate["why"]
    assert report.certificate["values"]["differ"] == 0
    assert "flips" not in report.certificate["seams"]
    store = tmp_path / "job.zarr"
    replaced(store, 0, lambda values: np.where(values == values, values + values.dtype.type(4), values))
    certificate = verify(job_of(store, []), lambda _: None, windows=30)
    assert not certificate["passed"]
    assert "values" in certificate["why"]


def replaced(store: Path, channel: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change a channel, with the checksums of its chunks in the ledger."""
    array, ledger, files = open_layer(store, 0, "values"), Ledger(store), files_at(store)
    array[channel] = change(np.asarray(array[channel]))
    for block in list(ledger.listed()):
        record = ledger.record(block)
        assert record is not None
        sums = {key: upload_checksums.chunk_checksum(data) for key in record["chunks"] if (data := files.get(key))}
        ledger.commit(block, {**record, "chunks": {**record["chunks"], **sums}})


def test_status_counts_blocks_and_overviews(tmp_path: Path) -> None:
    runs.go(job(tmp_path, output={"block": 64}))
    found = status(tmp_path / "job.zarr")
    assert (found.committed, found.blocks, found.complete, found.resume) == (12, 12, True, False)
    assert found.overviews == {"done": 2, "total": 2}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_xarray_and_rioxarray_know_channels_place_and_scale(tmp_path: Path, zarr_format: int) -> None:
    runs.go(job(tmp_path, output={**INTEGERS, "zarr_format": zarr_format}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(tmp_path / "job.zarr", group="0", consolidated=False, mask_and_scale=False)
        scene = pipeline.open(tmp_path / "job.zarr")
    assert opened["values"].dims == ("channel", "y", "x")
    assert opened["values"].dtype == np.int16
    assert opened["channel"].values.tolist() == [0, 1]
    assert opened["channel"].attrs["names"] == NAMES
    assert scene.attrs["channel_names"] == NAMES
    assert scene.attrs["nodata"] == -32768
    assert scene["values"].rio.crs.to_epsg() == 32633
    ome = dict(zarr.open_group(tmp_path / "job.zarr", mode="r").attrs)
    multiscale = ome["multiscales"][0] if zarr_format == 2 else ome["ome"]["multiscales"][0]
    assert [axis["type"] for axis in multiscale["axes"]] == ["channel", "space", "space"]
    assert multiscale["datasets"][1]["path"] == "1/values"
    assert len(multiscale["datasets"][1]["coordinateTransformations"][0]["scale"]) == 3
    assert "image-label" not in (ome if zarr_format == 2 else ome["ome"])


def test_gdal_reads_a_band_per_channel_through_the_vrt(tmp_path: Path) -> None:
    runs.go(job(tmp_path, output={**INTEGERS, "zarr_format": 2}))
    assert not list((tmp_path / "job.zarr").rglob("*.aux.xml"))
    with rasterio.open(tmp_path / "job.vrt") as raster:
        np.testing.assert_array_equal(raster.read(), stored(tmp_path))
        assert raster.descriptions == tuple(NAMES)
        assert (raster.scales, raster.offsets) == ((0.01, 0.001), (0, 300))
        assert raster.nodata == -32768
        assert raster.overviews(2) == [2, 4]
    with rasterio.open(tmp_path / "job.vrt", overview_level=0) as overview:
        np.testing.assert_array_equal(overview.read(2), stored(tmp_path, level=1)[1])


def test_gdal_takes_nan_for_nodata(tmp_path: Path) -> None:
    runs.go(job(tmp_path, output={"zarr_format": 2}))
    with rasterio.open(tmp_path / "job.vrt") as raster:
        assert np.isnan(raster.nodata)
        np.testing.assert_array_equal(raster.read_masks(1) == 0, np.isnan(stored(tmp_path)[0]))


def test_the_spec_of_a_store_is_that_of_its_job(tmp_path: Path) -> None:
    for name, output in (("f", {}), ("i", INTEGERS)):
        path = job(tmp_path, name, output=output)
        runs.go(path)
        made, read = prepare_job(load_config(path)).spec, read_spec(tmp_path / f"{name}.zarr")
        assert (read.values, read.layers, read.classes) == (made.values, made.layers, ())
        assert (read.nodata, read.dtype, read.levels, read.chunk) == (made.nodata, made.dtype, made.levels, made.chunk)


def test_class_numbers_and_any_finite_number_are_values_too(tmp_path: Path) -> None:
    class Codes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.floor(x[:, :1].abs() * 3) - 1e30

    path = job(tmp_path, network=Codes, model={"channels": None})
    report = runs.go(path)
    assert report.complete
    assert (stored(tmp_path)[0][whole(tmp_path, "Codes")[1]] == np.float32(-1e30)).all()
