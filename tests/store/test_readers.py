"""The store as other people's tools see it: right pixels, CRS, nodata, dtype and scale."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.load_config import load
from pipeline.progress import Progress
from pipeline.run import execute, prepare
from tests import scenes

TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0)


@pytest.fixture(scope="module", params=[3, 2])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp(f"v{request.param}")
    output = {"zarr_format": request.param, "layers": ["mask", "confidence"]}
    job = prepare(load(scenes.config(folder, output=output)))
    with Progress() as progress:
        execute(job, progress)
    return folder, request.param


def test_xarray_and_rioxarray_need_the_group_and_nothing_else(made: tuple[Path, int]) -> None:
    import rioxarray  # noqa: F401  # registers .rio
    import xarray

    folder, version = made
    # v2 has no way to tell nodata from "missing": there xarray is told not to make floats of codes
    said = {} if version == 3 else {"mask_and_scale": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = xarray.open_zarr(folder / "job.zarr", group="0", **said)
    assert opened.mask.dtype == np.uint8
    assert (opened.mask.values == scenes.whole(folder)).all()
    assert opened.mask.rio.crs.to_epsg() == 32633
    assert tuple(opened.mask.rio.transform())[:6] == TRANSFORM
    assert opened.mask.rio.nodata == 255
    assert opened.confidence.rio.crs.to_epsg() == 32633
    assert (float(opened.x[0]), float(opened.y[0])) == (500_005.0, 4_599_995.0)


def test_odc_geo_finds_the_geobox(made: tuple[Path, int]) -> None:
    import odc.geo.xr  # noqa: F401  # registers .odc
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = xarray.open_zarr(made[0] / "job.zarr", group="0", mask_and_scale=False)
    box = opened.mask.odc.geobox
    assert box.crs.epsg == 32633
    assert tuple(box.affine)[:6] == TRANSFORM
    assert box.shape == (300, 420)


def test_tensorstore_reads_the_same_pixels(made: tuple[Path, int]) -> None:
    import tensorstore

    folder, version = made
    spec = {"driver": "zarr3" if version == 3 else "zarr", "kvstore": {"driver": "file", "path": str(folder / "job.zarr" / "0" / "mask")}}
    assert (np.asarray(tensorstore.open(spec).result().read().result()) == scenes.whole(folder)).all()


def test_rasterio_opens_v2_with_georeference_and_the_sidecar_adds_palette_and_overviews(made: tuple[Path, int]) -> None:
    folder, version = made
    if version == 3:
        pytest.skip("the GDAL of rasterio on Python 3.11 reads no v3")
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
    layout = root.attrs["multiscales"]["layout"]
    assert [entry["spatial:shape"] for entry in layout] == [[300, 420], [150, 210], [75, 105], [38, 53]]
    assert [entry.get("derived_from") for entry in layout] == [None, "0", "1", "2"]
    for entry in layout:
        level = root[entry["asset"]]
        assert level["mask"].shape == tuple(entry["spatial:shape"])
        assert level.attrs["spatial:transform"] == entry["spatial:transform"]
        assert level.attrs["proj:code"] == "EPSG:32633"
        assert "_FillValue" not in level["mask"].attrs
        assert level["mask"].attrs["flag_meanings"] == "a b c d"
    names = {entry["name"] for entry in root.attrs["zarr_conventions"]}
    assert names == {"multiscales", "proj", "proj:", "spatial", "spatial:"}


def test_overviews_are_the_mode_of_the_level_below(made: tuple[Path, int]) -> None:
    import zarr

    from pipeline.stages.pyramid import reduce_mask

    root = zarr.open_group(made[0] / "job.zarr", mode="r")
    for k in range(3):
        assert (root[f"{k + 1}/mask"][:] == reduce_mask(root[f"{k}/mask"][:], 255)).all()


def test_metadata_is_consolidated_at_the_root_only(made: tuple[Path, int]) -> None:
    folder, version = made
    if version == 3:
        assert "consolidated_metadata" in json.loads((folder / "job.zarr/zarr.json").read_text())
        assert "consolidated_metadata" not in json.loads((folder / "job.zarr/0/zarr.json").read_text())
    else:
        assert (folder / "job.zarr/.zmetadata").exists()
        assert not (folder / "job.zarr/0/.zmetadata").exists()


def test_ome_readers_find_every_level_and_the_colours(made: tuple[Path, int]) -> None:
    import zarr

    folder, version = made
    if version == 2:
        pytest.skip("OME-Zarr for v2 claims the key of the pyramid convention")
    ome = zarr.open_group(folder / "job.zarr", mode="r").attrs["ome"]
    datasets = ome["multiscales"][0]["datasets"]
    assert [d["path"] for d in datasets] == ["0/mask", "1/mask", "2/mask", "3/mask"]
    assert datasets[1]["coordinateTransformations"] == [{"type": "scale", "scale": [20.0, 20.0]}, {"type": "translation", "translation": [5.0, 5.0]}]
    assert ome["image-label"]["colors"][0] == {"label-value": 0, "rgba": [0x1B, 0x9E, 0x77, 255]}
