"""The store as other people's tools see it: right pixels, CRS, nodata, dtype and scale."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config.load import load_config
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import scenes
from tests.store import specs

TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0)


@pytest.fixture(scope="module", params=[3, 2])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp(f"v{request.param}")
    output = {"zarr_format": request.param, "layers": ["mask", "confidence", "probabilities", "entropy"]}
    job = prepare_job(load_config(scenes.config(folder, output=output)))
    with Progress() as progress:
        execute(job, progress)
    return folder, request.param


@pytest.mark.slow
def test_xarray_and_rioxarray_need_the_group_and_nothing_else(made: tuple[Path, int]) -> None:
    import rioxarray  # noqa: F401  # registers .rio
    import xarray

    folder, version = made
    # v2 has no way to tell nodata from "missing": there xarray is told not to make floats of codes
    said = {} if version == 3 else {"mask_and_scale": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(folder / "job.zarr", group="0", **said)
    assert opened.mask.dtype == np.uint8
    assert (opened.mask.values == scenes.whole(folder)).all()
    assert opened.mask.rio.crs.to_epsg() == 32633
    assert tuple(opened.mask.rio.transform())[:6] == TRANSFORM
    assert opened.mask.rio.nodata == 255
    for layer, dimensions in (
        ("confidence", ("y", "x")),
        ("entropy", ("y", "x")),
        ("probabilities", ("class", "y", "x")),
    ):
        assert (opened[layer].dtype, opened[layer].dims) == (np.uint8, dimensions)
        assert opened[layer].rio.crs.to_epsg() == 32633
        assert tuple(opened[layer].rio.transform())[:6] == TRANSFORM
    assert opened.entropy.rio.nodata == 255
    assert (opened.probabilities.argmax("class").values == opened.mask.values)[opened.confidence.values > 128].all()
    assert opened.probabilities.sel({"class": 2}).shape == opened.mask.shape
    assert dict(
        zip(opened["class"].values.tolist(), opened["class"].attrs["flag_meanings"].split(), strict=True)
    ) == dict(enumerate("abcd"))
    assert (float(opened.x[0]), float(opened.y[0])) == (500_005.0, 4_599_995.0)


def test_odc_geo_finds_the_geobox(made: tuple[Path, int]) -> None:
    import odc.geo.xr  # noqa: F401  # registers .odc
    import xarray

    opened = xarray.open_zarr(made[0] / "job.zarr", group="0", mask_and_scale=False)
    for layer in ("mask", "confidence", "probabilities", "entropy"):
        box = opened[layer].odc.geobox
        assert box.crs.epsg == 32633
        assert tuple(box.affine)[:6] == TRANSFORM
        assert box.shape == (300, 420)


def test_tensorstore_reads_the_same_pixels(made: tuple[Path, int]) -> None:
    import tensorstore

    folder, version = made
    spec = {
        "driver": "zarr3" if version == 3 else "zarr",
        "kvstore": {"driver": "file", "path": str(folder / "job.zarr" / "0" / "mask")},
    }
    assert (np.asarray(tensorstore.open(spec).result().read().result()) == scenes.whole(folder)).all()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("changes", [{}, {"shard": 64}, {"zarr_format": 2}], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_every_reader_finds_the_probabilities_of_each_class(
    tmp_path: Path, changes: dict[str, Any], dtype: str
) -> None:
    import tensorstore
    import xarray

    changes = {**changes, "layers": ("mask", "probabilities", "entropy"), "probabilities": dtype}
    of = specs.spec(**changes)
    expected = np.where(specs.pixels(of) == 255, of.layer("probabilities").fill, specs.planes(of))
    path = finished(tmp_path, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(path, group="0", mask_and_scale=False)
    assert opened.probabilities.dtype == dtype
    assert opened["class"].values.tolist() == [0, 3, 7]
    assert np.array_equal(opened.probabilities.values, expected, equal_nan=dtype == "float16")
    place = {
        "driver": "zarr" if of.zarr_format == 2 else "zarr3",
        "kvstore": {"driver": "file", "path": str(path / "0" / "probabilities")},
    }
    assert np.array_equal(
        np.asarray(tensorstore.open(place).result().read().result()), expected, equal_nan=dtype == "float16"
    )
    if of.zarr_format == 2 and dtype == "uint8":
        with rasterio.open(f'ZARR:"{path}":/0/probabilities:1') as plane:
            assert (plane.read(1) == expected[1]).all()
            assert plane.crs.to_epsg() == 32633
        with rasterio.open(f'ZARR:"{path}":/0/entropy') as layer:
            assert layer.nodata == 255


def test_rasterio_opens_the_array_with_georeference_and_the_sidecar_adds_palette_and_overviews(
    made: tuple[Path, int],
) -> None:
    folder, version = made
    if version == 3 and tuple(map(int, rasterio.__gdal_version__.split(".")[:2])) < (3, 12):
        pytest.skip("GDAL before 3.12, as on Python 3.11, reads no v3")
    with rasterio.open(f'ZARR:"{folder / "job.zarr"}":/0/mask') as array:
        assert (array.read(1) == scenes.whole(folder)).all()
        assert array.crs.to_epsg() == 32633
        assert tuple(array.transform)[:6] == TRANSFORM
        assert array.nodata == 255
    with rasterio.open(folder / "job.vrt") as sidecar:
        assert (sidecar.read(1) == scenes.whole(folder)).all()
        assert sidecar.crs.to_epsg() == 32633
        assert tuple(sidecar.transform)[:6] == TRANSFORM
        assert sidecar.nodata == 255
        assert sidecar.colormap(1)[1] == (0xD9, 0x5F, 0x02, 255)
        assert sidecar.overviews(1) == [2, 4, 8]


def test_levels_halve_and_each_repeats_its_georeference(made: tuple[Path, int]) -> None:
    import zarr

    root = zarr.open_group(made[0] / "job.zarr", mode="r", use_consolidated=False)
    if made[1] == 2:  # the key is OME's there
        layout = [
            {"asset": str(k), **{key: root[str(k)].attrs[key] for key in ("spatial:shape", "spatial:transform")}}
            for k in range(4)
        ]
    else:
        layout = root.attrs["multiscales"]["layout"]
        assert [entry.get("derived_from") for entry in layout] == [None, "0", "1", "2"]
    assert [entry["spatial:shape"] for entry in layout] == [[300, 420], [150, 210], [75, 105], [38, 53]]
    for entry in layout:
        level = root[entry["asset"]]
        assert level["mask"].shape == tuple(entry["spatial:shape"])
        assert level.attrs["spatial:transform"] == entry["spatial:transform"]
        assert level.attrs["proj:code"] == "EPSG:32633"
        assert "_FillValue" not in level["mask"].attrs
        assert level["mask"].attrs["flag_meanings"] == "a b c d"
    names = {entry["name"] for entry in root.attrs["zarr_conventions"]}
    assert names == {"proj", "proj:", "spatial", "spatial:"} | ({"multiscales"} if made[1] == 3 else set())


def test_overviews_are_the_mode_of_the_level_below(made: tuple[Path, int]) -> None:
    import zarr

    from pipeline.store.downsample import mode_2x2

    root = zarr.open_group(made[0] / "job.zarr", mode="r")
    for k in range(3):
        assert (root[f"{k + 1}/mask"][:] == mode_2x2(root[f"{k}/mask"][:], 255)).all()


def test_ome_readers_find_every_level_and_the_colours(made: tuple[Path, int]) -> None:
    import zarr

    folder, version = made
    attributes = zarr.open_group(folder / "job.zarr", mode="r").attrs.asdict()
    ome = attributes["ome"] if version == 3 else attributes
    assert (ome["multiscales"][0] if version == 2 else ome)["version"] == {2: "0.4", 3: "0.5"}[version]
    datasets = ome["multiscales"][0]["datasets"]
    assert [d["path"] for d in datasets] == ["0/mask", "1/mask", "2/mask", "3/mask"]
    assert datasets[1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [20.0, 20.0]},
        {"type": "translation", "translation": [5.0, 5.0]},
    ]
    assert ome["image-label"]["colors"][0] == {"label-value": 0, "rgba": [0x1B, 0x9E, 0x77, 255]}


def finished(folder: Path, **changes: Any) -> Path:
    of = specs.spec(**changes)
    path = specs.store(folder / "a.zarr", of)
    specs.finish(path, of, {})
    return path


@pytest.mark.parametrize("grid", specs.GRIDS)
def test_xarray_and_rioxarray_find_the_georeference_of_every_kind_of_grid(tmp_path: Path, grid: str) -> None:
    import rioxarray  # noqa: F401  # registers .rio
    import xarray

    there = specs.GRIDS[grid]
    opened = xarray.open_zarr(finished(tmp_path, grid=grid), group="0")
    assert (opened.mask.dtype, opened.mask.rio.nodata) == (np.uint8, 255)
    assert (opened.mask.values == specs.pixels(specs.spec())).all()
    assert tuple(opened.mask.rio.transform())[:6] == there.transform
    assert (opened.mask.rio.crs is None) == (there.wkt is None)
    if there.wkt:
        assert opened.mask.rio.crs == rasterio.CRS.from_wkt(there.wkt)
    assert ("x" in opened.coords) == there.axis_aligned
    assert (
        opened.x.attrs.get("units") == {"of a slide": "micrometer", "without a CRS": None}.get(grid, "metre")
        if there.axis_aligned
        else True
    )


@pytest.mark.parametrize("grid", ["with a code", "without a code", "rotated"])
def test_odc_geo_finds_the_geobox_of_every_kind_of_grid(tmp_path: Path, grid: str) -> None:
    import odc.geo.xr  # noqa: F401  # registers .odc
    import xarray

    there = specs.GRIDS[grid]
    box = xarray.open_zarr(finished(tmp_path, grid=grid), group="0").mask.odc.geobox
    assert box.crs is not None
    assert np.allclose(tuple(box.affine)[:6], there.transform)
    assert box.shape == (100, 130)


@pytest.mark.parametrize(
    "changes", [{"shard": 64}, {"dtype": "uint16", "nodata": 65535}, {"layers": ("mask", "confidence"), "shard": 128}]
)
def test_shards_and_wider_codes_read_alike_everywhere(tmp_path: Path, changes: dict[str, Any]) -> None:
    import tensorstore
    import xarray

    expected = specs.pixels(specs.spec(**changes))
    path = finished(tmp_path, **changes)
    mask = xarray.open_zarr(path, group="0").mask
    assert mask.dtype == expected.dtype
    assert (mask.values == expected).all()
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / "0" / "mask")}}
    assert (np.asarray(tensorstore.open(spec).result().read().result()) == expected).all()


@pytest.mark.parametrize("zarr_format", [3, 2])
def test_xarray_opens_all_levels_as_a_tree_without_a_word(tmp_path: Path, zarr_format: int) -> None:
    import xarray

    path = finished(tmp_path, zarr_format=zarr_format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xarray.open_datatree(path, engine="zarr", mask_and_scale=False)
    assert sorted(tree.children) == ["0", "1", "2", "3"]
    assert [tree[k].mask.shape for k in "0123"] == [(100, 130), (50, 65), (25, 33), (13, 17)]


@pytest.mark.parametrize("grid", ["with a code", "without a code", "without a CRS", "of a slide"])
def test_gdal_reads_the_array_of_v2_with_its_georeference(tmp_path: Path, grid: str) -> None:
    there = specs.GRIDS[grid]
    path = finished(tmp_path, grid=grid, zarr_format=2)
    with rasterio.open(f'ZARR:"{path}":/0/mask') as array:
        assert (array.read(1) == specs.pixels(specs.spec())).all()
        assert (array.crs is None) == (there.wkt is None)
        assert np.allclose(tuple(array.transform)[:6], there.transform)
        assert array.nodata == 255
