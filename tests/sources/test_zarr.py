"""Arrays with named dimensions are the equal GeoTIFF, whatever file they lie in."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from pipeline.config import SourceConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ExtraError, PlanError, ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.locations import Remote
from pipeline.sources import open_source
from pipeline.store.files import files_at
from tests import runs, scenes
from tests.faults import harness
from tests.sources.array_files import forms
from tests.storage import BUCKET, Storage


def source(path: object, **more: Any) -> Any:
    return open_source(SourceConfig(kind="zarr", path=str(path), **more))


def read(opened: Any) -> Any:
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def written(folder: Path, form: str, scene: np.ndarray) -> tuple[Path, dict[str, Any]]:
    """A scene in a form, and the keys that read it."""
    name, write = forms.FORMS[form]
    return folder / name, write(folder / name, scene)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a GeoTIFF, and the job that runs on it."""
    folder = tmp_path_factory.mktemp("scene")
    runs.go(scenes.config(folder, output={"layers": ["mask"]}))
    return folder


def pixels(folder: Path) -> np.ndarray:
    return scenes.read(folder / "scene.tif").astype("uint16")


def chunks(store: Path) -> dict[str, bytes]:
    """Chunks of the mask of all levels, by their path."""
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in sorted(store.rglob("*"))
        if file.is_file() and "mask" in file.parts and "c" in file.parts
    }


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("form", forms.FORMS)
def test_the_mask_of_every_form_is_that_of_the_geotiff(scene: Path, tmp_path: Path, form: str) -> None:
    path, keys = written(tmp_path, form, pixels(scene))
    for name in ("scene.tif", "unet.pt"):
        shutil.copy(scene / name, tmp_path / name)
    runs.go(scenes.config(tmp_path, source={"kind": "zarr", "path": str(path), **keys}, output={"layers": ["mask"]}))
    mask = chunks(tmp_path / "job.zarr")
    assert len(mask) > 12
    assert mask == chunks(scene / "job.zarr")


@pytest.mark.nightly("jobs", after=5)
@pytest.mark.parametrize("form", forms.FORMS)
def test_windows_and_the_grid_of_every_form_are_those_of_the_geotiff(scene: Path, tmp_path: Path, form: str) -> None:
    path, keys = written(tmp_path, form, pixels(scene))
    expected, opened = open_source(SourceConfig(path=str(scene / "scene.tif"))), source(path, **keys)
    assert (opened.bands, opened.dtype) == (3, np.dtype("uint16"))
    if form.startswith("ome"):
        assert (opened.grid.unit, opened.grid.transform) == ("um", (0.5, 0, 0, 0, 0.5, 0))
    else:
        assert opened.grid.as_dict() == expected.grid.as_dict()
    rng = np.random.default_rng(0)
    corners, sizes = rng.integers(-20, 400, (12, 2)).tolist(), rng.integers(1, 130, (12, 2)).tolist()
    windows = [
        Window(row=row, col=col, height=height, width=width)
        for (row, col), (height, width) in zip(corners, sizes, strict=True)
    ]
    copy = pickle.loads(pickle.dumps(opened))
    with ThreadPoolExecutor(4) as pool:
        for window, got in zip(windows, pool.map(copy.read, windows), strict=True):
            whole = expected.read(window)
            assert (got.data == whole.data).all()
            assert (got.valid == whole.valid).all()
            assert np.array_equal(*(np.zeros(1) if p.causes is None else p.causes for p in (got, whole)))


def placed_levels(path: Path, changes: list[list[dict[str, Any]]]) -> Path:
    """An OME-Zarr of rows and columns in nm, whose levels lie where they are told to."""
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "yx"]
    levels = [{"path": str(k), "coordinateTransformations": change} for k, change in enumerate(changes)]
    attributes = {"ome": {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}}
    group = zarr.open_group(path, mode="w", attributes=attributes)  # type: ignore[arg-type]
    for k in range(len(levels)):
        group.create_array(str(k), shape=(64 >> k, 96 >> k), chunks=(32, 32), dtype="uint8")[:] = k
    return path


def change(scale: float, *translation: float) -> list[dict[str, Any]]:
    moved = [{"type": "translation", "translation": list(translation)}] if translation else []
    return [{"type": "scale", "scale": [scale, scale]}, *moved]


def test_a_level_of_an_ome_zarr_lies_on_its_level_0_and_from_its_origin(tmp_path: Path) -> None:
    """OME counts from centres: that of the first pixel of level 1 is half a pixel of level 0 behind that of level 0."""
    true = placed_levels(
        tmp_path / "a.zarr", [change(250, 1000, 2000), change(500, 1125, 2125), change(1000, 1000, 2000)]
    )
    grids = [source(true, variable=str(k)).grid for k in range(3)]
    assert grids[0].transform == (0.25, 0, 2, 0, 0.25, 1)
    assert (grids[1].transform, grids[1].image_px) == ((0.5, 0, 2, 0, 0.5, 1), (2, 0, 0, 0, 2, 0))
    assert grids[2].transform == (1, 0, 1.625, 0, 1, 0.625)  # its centre is that of level 0's first pixel
    assert grids[2].image_px == (4, 0, -1.5, 0, 4, -1.5)
    assert "level_0_px" not in source(true, variable="0").identity()
    assert source(true, variable="2").identity()["level_0_px"] == [4, 4, -1.5, -1.5]
    without = placed_levels(tmp_path / "b.zarr", [change(250), change(500)])
    assert source(without, variable="1").grid.transform == (0.5, 0, 0, 0, 0.5, 0)


@pytest.mark.slow
@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize("form", ["sharded", "netcdf 4", "xarray v2", "numpy"])
def test_windows_from_object_storage_are_those_from_disk(scene: Path, tmp_path: Path, s3: Storage, form: str) -> None:
    path, keys = written(tmp_path, form, pixels(scene))
    upload(path, f"{form.replace(' ', '-')}/{path.name}")
    url = f"s3://{BUCKET}/{form.replace(' ', '-')}/{path.name}"
    local, remote = source(path, **keys), source(url, **keys)
    assert remote.grid == local.grid
    assert remote.identity()["path"] == url
    assert remote.identity()["etag"]
    for window in (Window(row=-5, col=40, height=90, width=300), Window(row=250, col=390, height=64, width=64)):
        got, expected = remote.read(window), local.read(window)
        assert (got.data == expected.data).all()
        assert (got.valid == expected.valid).all()


def upload(path: Path, key: str) -> None:
    """A file or a folder onto object storage."""
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        inner = "" if file == path else f"/{file.relative_to(path)}"
        files_at(Remote(f"s3://{BUCKET}/{key}{inner}").parent).put(file.name, file.read_bytes())


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("form", forms.FORMS)
def test_the_mask_of_every_form_on_object_storage_is_that_of_the_geotiff(
    scene: Path, tmp_path: Path, s3: Storage, form: str
) -> None:
    if form == "netcdf 3":
        pytest.skip("the classic form is read from disk alone")
    path, keys = written(tmp_path, form, pixels(scene))
    upload(path, f"{form.replace(' ', '-')}/{path.name}")
    for name in ("scene.tif", "unet.pt"):
        shutil.copy(scene / name, tmp_path / name)
    url = f"s3://{BUCKET}/{form.replace(' ', '-')}/{path.name}"
    runs.go(scenes.config(tmp_path, source={"kind": "zarr", "path": url, **keys}, output={"layers": ["mask"]}))
    assert chunks(tmp_path / "job.zarr") == chunks(scene / "job.zarr")


def small(folder: Path, **more: Any) -> Path:
    """A cube of 2 times, 3 bands, 40 × 60 px."""
    path = folder / "small.zarr"
    forms.quiet(lambda: forms.cube(scenes.position(40, 60), **more).to_zarr(path, zarr_format=3, consolidated=False))
    return path


def test_bands_go_by_label_or_by_number_and_times_by_date(tmp_path: Path) -> None:
    path, expected = small(tmp_path), scenes.position(40, 60)
    chosen = {"variable": "reflectance"}
    assert (
        read(source(path, **chosen, select={"time": "2024-06", "band": ["B04", "B02"]})).data == expected[[2, 0]]
    ).all()
    opened = source(path, **chosen, select=forms.SELECT, bands=[2, "B02"])
    assert (read(opened).data == expected[[1, 0]]).all()
    assert opened.notes[:2] == ("its time is 2024-06-01T10:30:00", "its bands are band B03, B02")
    assert (read(source(path, **chosen, select={**forms.SELECT, "band": "B03"})).data == expected[[1]]).all()
    times = read(source(path, **chosen, select={"band": "B03", "time": ["2024-06-01", "2024-05-30"]})).data
    assert (times == [expected[1], expected[1] + 1]).all()


def test_arrays_of_one_band_each_are_one_raster(tmp_path: Path) -> None:
    data = forms.cube(scenes.position(40, 60)).isel(time=1)
    names = {f"b{k}": data["reflectance"].isel(band=k).drop_vars("band") for k in range(3)}
    forms.quiet(
        lambda: data.drop_vars(["reflectance", "band"]).assign(names).to_zarr(tmp_path / "a.zarr", zarr_format=3)
    )
    opened = source(tmp_path / "a.zarr", variable=["b2", "b0"])
    assert (read(opened).data == scenes.position(40, 60)[[2, 0]]).all()
    assert opened.grid.code == "EPSG:32633"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {},
            r"leaves open time \(2: 2024-05-30T10:00:00, 2024-06-01T10:30:00\); band \(3: B02, B03, B04\)",
        ),
        ({"select": {"band": "B02"}}, "leaves open time .*such as {time: 2024-05-30T10:00:00}"),
        ({"select": {"time": "2024-07-01"}}, "time 2024-07-01, but there is none. It has 2024-05-30T10:00:00, 2024-06"),
        ({"select": {"time": "2024"}}, "time 2024, which several are: 2024-05-30T10:00:00, 2024-06-01T10:30:00"),
        ({"select": {**forms.SELECT, "band": ["B8A"]}}, "band B8A, but there is none. It has B02, B03, B04"),
        ({"select": {**forms.SELECT, "depth": 3}}, r"names depth, .* It has time \(2: .*band \(3: B02"),
        ({"select": {"time": ["2024-06"], "band": ["B02"]}}, "gives several lists"),
        ({"select": {"time": "2024-06", "band": ["B02"]}, "bands": [1]}, "both name the bands"),
        ({"select": forms.SELECT, "bands": [4]}, r"band 4, but band \(3: B02, B03, B04\) has 3"),
        ({"variable": "radiance"}, "source.variable is radiance, but .* has no such array. It has band, reflectance"),
        ({"axes": "yx"}, "source.axes is y, x, but the array has 4 dimensions"),
        ({"axes": "abcd"}, "dimensions a, b, c, d, of which its rows and columns cannot be told"),
    ],
)
def test_what_is_left_open_or_is_not_there_is_refused_with_what_exists(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    path = small(tmp_path)
    with pytest.raises(SourceError, match=message):
        source(path, **{"variable": "reflectance", **keys})


def test_several_arrays_are_refused_with_their_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        zarr.open_group(tmp_path / "a.zarr", mode="a").create_array(name, shape=(4, 4), dtype="u1")
    with pytest.raises(SourceError, match=r"which has several arrays: a, b\. Name one in source.variable"):
        source(tmp_path / "a.zarr")


def test_uneven_and_curved_coordinates_are_refused(tmp_path: Path) -> None:
    data = forms.cube(scenes.position(40, 60)).isel(time=1)
    uneven = data.assign_coords(x=data.x.values + np.where(np.arange(60) == 30, 4.0, 0))
    forms.quiet(lambda: uneven.to_zarr(tmp_path / "uneven.zarr", zarr_format=3))
    with pytest.raises(
        SourceError, match=r"coordinate x is not evenly spaced \(around place 30: 500295, 500309, 500315"
    ):
        source(tmp_path / "uneven.zarr")
    swath = data.drop_vars(["x", "y"]).assign_coords(
        lat=(("y", "x"), np.ones((40, 60))), lon=(("y", "x"), np.ones((40, 60)))
    )
    forms.quiet(lambda: swath.to_zarr(tmp_path / "swath.zarr", zarr_format=3))
    with pytest.raises(SourceError, match="lie where lat and lon say, each by itself, and so on no grid"):
        source(tmp_path / "swath.zarr", variable="reflectance")
    assert source(tmp_path / "swath.zarr", variable="reflectance", georeference="pixels").grid.unit == "px"


def test_longitudes_from_0_to_360_go_onto_a_grid_in_degrees_east_and_west(tmp_path: Path) -> None:
    import xarray as xr

    values = np.arange(180 * 360, dtype="float32").reshape(180, 360)
    lat, lon = (np.arange(count, dtype="float32") + first for count, first in ((180, -89.5), (360, 0.5)))
    data = xr.Dataset(
        {"t2m": (("lat", "lon"), values)},
        {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})},
    )
    forms.quiet(lambda: data.to_zarr(tmp_path / "a.zarr", zarr_format=3))
    opened = source(tmp_path / "a.zarr")
    assert (opened.grid.transform, opened.grid.code) == ((1, 0, 0, 0, -1, 90), "EPSG:4326")
    assert "its longitudes and latitudes name no datum; WGS 84 is taken" in opened.notes
    grid = {"crs": "EPSG:4326", "resolution": 1, "bounds": [-20, 10, 20, 30]}
    moved = read(source(tmp_path / "a.zarr", grid=grid, resampling="nearest"))
    assert (moved.data[0] == np.roll(values[::-1], 180, 1)[60:80, 160:200]).all()


def array(path: Path, fill: Any, attributes: dict[str, Any], shards: Any = None, dtype: str = "uint8") -> Any:
    made = zarr.create_array(
        path, shape=(32, 32), chunks=(8, 8), shards=shards, dtype=dtype, fill_value=fill, attributes=attributes
    )
    made[:16] = np.arange(1, 513).reshape(16, 32) % 200
    made[0, 0] = 7
    made[1, 1] = 9
    return made


@pytest.mark.parametrize("shards", [None, (16, 32), (32, 32), {"shape": (16, 32), "index_location": "start"}])
def test_attributes_say_what_is_nodata_and_a_fill_value_alone_does_not(tmp_path: Path, shards: Any) -> None:
    array(tmp_path / "a.zarr", 7, {"_FillValue": 9}, shards)
    opened = source(tmp_path / "a.zarr")
    got = read(opened)
    causes = [CAUSES[code] for code in got.causes[[0, 1, 15, 16], [0, 1, 31, 0]]]
    assert causes == ["", "nodata", "", "never written"]
    assert not got.valid[16:].any()
    assert (got.data[0, 16:] == 7).all()
    assert opened.notes[-1].startswith("50.0% of its chunks were never written and are nodata")
    assert read(source(tmp_path / "a.zarr", nodata=None)).valid.all()
    array(tmp_path / "b.zarr", 7, {"missing_value": [9, 7]}, shards)
    assert not read(source(tmp_path / "b.zarr")).valid[[0, 1], [0, 1]].any()
    array(tmp_path / "c.zarr", 7, {}, shards)
    assert any(note.startswith("its fill value 7 is data") for note in source(tmp_path / "c.zarr").notes)


def test_chunks_of_hdf5_that_were_never_written_are_invalid(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", shape=(32, 32), chunks=(8, 8), dtype="u1")[:16] = 0
        file.create_dataset("b", shape=(32, 32), dtype="u1")
    assert read(source(tmp_path / "a.h5", variable="a")).valid.sum() == 16 * 32
    assert not read(source(tmp_path / "a.h5", variable="b")).valid.any()


def test_floats_of_xarray_have_the_nodata_and_the_scale_of_a_geotiff(tmp_path: Path) -> None:
    values = scenes.position(40, 60)[:1].astype("int16")
    values[0, 3, 5] = -999
    data = forms.cube(values, nodata=None).isel(time=1)
    data["reflectance"].attrs = {"scale_factor": 0.1, "add_offset": -3.0, "_FillValue": -999}
    path = tmp_path / "a.zarr"
    forms.quiet(lambda: data.to_zarr(path, zarr_format=3))
    tif = scenes.write(tmp_path / "a.tif", values, nodata=-999)
    import rasterio

    with rasterio.open(tif, "r+") as out:
        out.scales, out.offsets = (0.1,), (-3.0,)
    for scaled in (False, True):
        got, expected = (
            read(source(path, scale_tags=scaled)),
            read(open_source(SourceConfig(path=str(tif), scale_tags=scaled))),
        )
        assert got.data.dtype == expected.data.dtype
        assert (got.data == expected.data).all()
        assert (got.valid == expected.valid).all()


def test_a_chunk_larger_than_the_memory_is_refused_with_its_size(tmp_path: Path) -> None:
    zarr.create_array(
        tmp_path / "a.zarr",
        shape=(3, 30000, 30000),
        chunks=(3, 30000, 30000),
        dtype="u2",
        dimension_names=("band", "y", "x"),
    )
    path = scenes.config(
        tmp_path, source={"kind": "zarr", "path": str(tmp_path / "a.zarr")}, execution={"memory": "2GiB"}
    )
    with pytest.raises(
        PlanError, match=r"One read of the source takes 10.1 GiB .* chunks of 30000 × 30000 px .* allows 2.0 GiB"
    ):
        runs.go(path)


def test_a_damaged_chunk_fails_its_window_and_no_other(tmp_path: Path) -> None:
    array(tmp_path / "a.zarr", 0, {})
    (tmp_path / "a.zarr" / "c" / "0" / "0").write_bytes(b"no codec has written this")
    opened = source(tmp_path / "a.zarr")
    with pytest.raises(ReadError, match=r"a.zarr cannot be read at"):
        opened.read(Window(row=0, col=0, height=8, width=8))
    assert opened.read(Window(row=8, col=8, height=8, width=8)).valid.all()


def test_another_array_is_another_source_and_a_chunk_written_anew_is_noticed(tmp_path: Path) -> None:
    path, chosen = small(tmp_path), {"variable": "reflectance"}
    first = source(path, **chosen, select=forms.SELECT).identity()
    assert first != source(path, **chosen, select={"time": "2024-05"}).identity()
    assert first["bands"] == [f"reflectance[1, {k}, y, x]" for k in range(3)]
    zarr.open_array(path / "reflectance")[0, 0, 0, 0] = 77
    assert source(path, **chosen, select=forms.SELECT).identity()["chunks"] != first["chunks"]


@pytest.mark.slow
def test_probabilities_of_a_store_are_the_source_of_a_second_network(scene: Path, tmp_path: Path) -> None:
    first = scenes.config(tmp_path, "first", output={"layers": ["mask", "probabilities"]})
    runs.go(first)
    store = tmp_path / "first.zarr"
    names = [row["name"] for row in scenes.CLASSES]
    opened = source(store, variable="0/probabilities", select={"class": names[:3]})
    expected = open_source(SourceConfig(path=str(tmp_path / "scene.tif")))
    assert opened.grid == expected.grid
    got, mask = read(opened), np.asarray(zarr.open_array(store / "0" / "mask", mode="r")[:])
    assert (got.valid == (mask != 255)).all()
    assert not got.valid.all()
    keys = {"kind": "zarr", "path": str(store), "variable": "0/probabilities", "select": {"class": names[:3]}}
    runs.go(scenes.config(tmp_path, "second", source=keys, model={"input": {"mean": 100, "std": 60}}))
    second = np.asarray(zarr.open_array(tmp_path / "second.zarr" / "0" / "mask", mode="r")[:])
    assert ((second != 255) == got.valid).all()


def test_the_raster_kind_points_to_this_one(tmp_path: Path) -> None:
    for name, message in (("a.zarr", "kind: zarr reads arrays by name"), ("b.npy", "kind: zarr reads it")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(SourceError, match=message):
            open_source(SourceConfig(path=str(tmp_path / name)))


@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_a_run_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    raster = scenes.scene(tmp_path / "scene.tif")
    (tmp_path / "calm").mkdir()
    harness.again(harness.config(tmp_path / "calm", raster))
    path, keys = written(tmp_path, "xarray v3", scenes.read(raster).astype("uint16"))
    job = harness.config(tmp_path, path, source={"kind": "zarr", **keys})
    started = harness.start(job, "commit", 4)
    started.reached()
    started.send(signal.SIGKILL)
    assert started.ended().code == -9
    assert harness.again(job).resumed > 3
    harness.Calm(raster, harness.digest(tmp_path / "calm" / "job.zarr")).same(tmp_path)


def test_signs_that_netcdf_could_not_say_are_heeded(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("a", data=np.array([[-1, -2], [3, 4]], "i1"))
        data.attrs.update({"_Unsigned": "true", "_FillValue": np.int8(-2)})
    got = read(source(tmp_path / "a.h5"))
    assert (got.data.dtype, got.data[0].tolist()) == (np.dtype("uint8"), [[255, 254], [3, 4]])
    assert got.valid.tolist() == [[True, False], [True, True]]


def test_a_level_of_geozarr_lies_where_the_layout_of_its_pyramid_says(tmp_path: Path) -> None:
    levels = [{"asset": name, "spatial:transform": [size, 0, 5, 0, -size, 9]} for name, size in (("r1", 1), ("r2", 2))]
    attributes = {"proj:code": "EPSG:32633", "multiscales": {"layout": levels}, "spatial:transform": [7, 0, 7, 0, 7, 7]}
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", attributes=attributes)
    for name in ("r1", "r2"):
        group.create_array(f"{name}/b", shape=(4, 4), dtype="u1", fill_value=0)[:] = 1
    assert source(tmp_path / "a.zarr", variable="r2/b").grid.transform == (2, 0, 5, 0, -2, 9)
    assert source(tmp_path / "a.zarr" / "r1").grid.transform == (1, 0, 5, 0, -1, 9)


def test_a_file_of_hdf5_without_its_extra_is_refused_by_the_name_of_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ExtraError, match=r"needs h5py, which is not installed.*wholecloth\[arrays\]"):
        source(tmp_path / "a.h5")


def test_codecs_that_run_what_is_stored_are_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), dtype="u1", zarr_format=2)
    file = tmp_path / "a.zarr" / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), "filters": [{"id": "pickle", "protocol": 5}]}))
    with pytest.raises(SourceError, match="is no array that is read here: No Zarr data type found that matches"):
        source(tmp_path / "a.zarr")


def test_dates_of_yaml_are_labels(tmp_path: Path) -> None:
    select = "source:\n  kind: zarr\n  select: {time: 2024-06-01, band: [1, B02]}"
    text = scenes.config(tmp_path).read_text().replace("source:", select)
    (tmp_path / "job.yaml").write_text(text)
    assert load_config(tmp_path / "job.yaml").source.select == {"time": "2024-06-01", "band": [1, "B02"]}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"georeference": {"transform": [1, 0, 0, 0, -1, 0], "bounds": [0, 0, 1, 1]}}, "give one of them"),
        ({"georeference": {}}, "it is empty; give crs, transform or bounds"),
        ({"select": {"time": None}}, "give a number, a text or a date"),
        ({"kind": "raster", "variable": "a"}, "variable is a key of kind: zarr"),
    ],
)
def test_keys_that_cannot_be_are_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(scenes.config(tmp_path, source={"kind": "zarr", **keys}))
