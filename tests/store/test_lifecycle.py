import json
import os
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.errors import StoreError
from pipeline.exports import vrt
from pipeline.exports.sidecars import delete_store
from pipeline.exports.vrt import vrt_sidecar
from pipeline.geometry.grid import Grid
from pipeline.store.files import files_at
from pipeline.store.lifecycle import (
    create,
    is_mask_store,
    open_layer,
    read_store_meta,
    remove_partial_files,
    remove_partials_beside,
    update_meta,
)
from pipeline.store.spec import ClassRow
from tests.store import specs


def contents(path: Path) -> dict[str, bytes]:
    return {key: files_at(path).get(key) or b"" for key in files_at(path).list()}


@pytest.mark.slow
def test_of_many_runs_that_start_together_one_makes_the_store(tmp_path: Path) -> None:
    path, made, start = tmp_path / "b.zarr", [], threading.Barrier(6)

    def run(k: int) -> None:
        start.wait()
        made.append((create(path, specs.spec(), {"who": k}), k))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [k for won, k in made if won]
    assert len(winners) == 1
    assert read_store_meta(path)["who"] == winners[0]
    assert [p.name for p in tmp_path.iterdir()] == ["b.zarr"]


@pytest.mark.parametrize("there", ["a file", "an empty folder", "a store"])
def test_creating_leaves_what_is_there(tmp_path: Path, there: str) -> None:
    path = tmp_path / "a.zarr"
    if there == "a file":
        path.write_text("mine")
    elif there == "an empty folder":
        path.mkdir()
    else:
        create(path, specs.spec(), {"who": 1})
    assert not create(path, specs.spec(), {"who": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    assert (read_store_meta(path)["who"] if there == "a store" else is_mask_store(path)) == (
        1 if there == "a store" else False
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"output\.path .*file/a\.zarr cannot be made"):
        create(tmp_path / "file" / "a.zarr", specs.spec(), {})


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_two_empty_stores_of_one_spec_are_the_same_bytes(tmp_path: Path, zarr_format: int) -> None:
    for name in "ab":
        create(tmp_path / name, specs.spec(zarr_format=zarr_format), {"blocks": [1, 1]})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) > 20


@pytest.mark.slow
def test_the_skeleton_of_a_very_large_raster_is_small(tmp_path: Path) -> None:
    grid = Grid(height=10**6, width=10**6, transform=specs.NORTH_UP, wkt=specs.UTM, unit="crs")
    of = specs.spec(grid, chunk=512, shard=2048)
    create(tmp_path / "a.zarr", of, {})
    made = contents(tmp_path / "a.zarr")
    assert of.levels == 12
    assert open_layer(tmp_path / "a.zarr", 0, "mask").shape == (10**6, 10**6)
    assert len(made) < 200
    assert sum(map(len, made.values())) < 8 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("uint16", 65535)])
def test_unwritten_is_nodata_and_a_chunk_of_nothing_else_has_no_file(tmp_path: Path, dtype: str, nodata: int) -> None:
    of = specs.spec(layers=("mask", "confidence", "probabilities", "entropy"), dtype=dtype, nodata=nodata)
    create(tmp_path / "a.zarr", of, {})
    before = contents(tmp_path / "a.zarr")
    for layer, fill in (("mask", nodata), ("confidence", 0), ("probabilities", 0), ("entropy", 255)):
        array = open_layer(tmp_path / "a.zarr", 0, layer)
        assert (np.asarray(array[:]) == fill).all()
        array[:] = np.full(array.shape, fill, array.dtype)
    assert contents(tmp_path / "a.zarr") == before
    assert open_layer(tmp_path / "a.zarr", 1, "mask").dtype == dtype


def test_probabilities_of_two_bytes_are_no_number_where_nothing_is_written_and_take_no_file(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", specs.spec(layers=("mask", "probabilities"), probabilities="float16"), {})
    before = contents(tmp_path / "a.zarr")
    array = open_layer(tmp_path / "a.zarr", 0, "probabilities")
    assert np.isnan(np.asarray(array[:])).all()
    array[:] = np.full(array.shape, np.nan, array.dtype)
    assert contents(tmp_path / "a.zarr") == before


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_new_name_of_a_class_reaches_the_mask_and_the_class_axis_of_every_level(
    tmp_path: Path, zarr_format: int
) -> None:
    of = specs.spec(layers=("mask", "probabilities"), zarr_format=zarr_format)
    create(tmp_path / "a.zarr", of, {})
    update_meta(
        tmp_path / "a.zarr", replace(of, classes=(ClassRow(code=0, name="lakes", color="#112233"), *of.classes[1:])), {}
    )
    for k in range(of.levels):
        for name in ("mask", "class"):
            array = zarr.open_array(tmp_path / "a.zarr" / str(k) / name, mode="r")
            assert array.attrs["flag_meanings"].split()[0] == "lakes"
            assert ("_ARRAY_DIMENSIONS" in array.attrs) == (zarr_format == 2)


def test_debris_of_killed_writers_is_swept_and_the_files_of_living_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    create(path, specs.spec(), {})
    name = uuid.uuid4().hex
    inside = [path / "0/mask/c/0/0.abc.partial", path / "0/mask/ledger/r00000/b00000.json.abc.partial"]
    old = [
        *inside,
        tmp_path / f"a.vrt.{name}.partial",
        tmp_path / f"a.report.json.{name}.partial",
        tmp_path / ".a.zarr.abc.partial" / "zarr.json",
    ]
    beside = [
        tmp_path / f"a.png.{name}.partial",
        tmp_path / ".a.zarr.def.partial" / "zarr.json",
        tmp_path / ".other.zarr.abc.partial" / "zarr.json",
    ]
    young, others = (
        [path / "0/mask/c/0/1.abc.partial", *beside],
        [tmp_path / "a.tif.partial", tmp_path / f"b.vrt.{name}.partial"],
    )
    for file in (*old, *young, *others):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for file in (*old, *others, old[-1].parent):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    remove_partial_files(path)
    remove_partials_beside(path)
    assert [file.exists() for file in old] == [False] * 5
    assert [file.exists() for file in (*young, *others)] == [True] * 6, "those of the living, and what is not ours"


@pytest.mark.parametrize("name", ["zarr.json", ".zattrs"])
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"wholecloth"', '{"wholecloth": 1}', '{"attributes": []}', '{"attributes": {"wholecloth": "yes"}}'],
)
def test_other_peoples_folders_are_not_taken_for_ours(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert not is_mask_store(tmp_path)


def test_only_stores_of_ours_are_deleted(tmp_path: Path) -> None:
    other, ours = tmp_path / "other.zarr", tmp_path / "ours.zarr"
    zarr.create_group(other)
    with pytest.raises(StoreError, match="not a store of ours"):
        delete_store(other)
    assert other.exists()
    create(ours, specs.spec(), {})
    specs.finish(ours, specs.spec(), {})
    delete_store(ours)
    assert [p.name for p in tmp_path.iterdir()] == ["other.zarr"]


def test_a_store_behind_a_link_is_deleted_where_it_is(tmp_path: Path) -> None:
    create(tmp_path / "disk" / "a.zarr", specs.spec(), {})
    (tmp_path / "a.zarr").symlink_to(tmp_path / "disk" / "a.zarr")
    delete_store(tmp_path / "a.zarr")
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_colours_and_names_are_rewritten_in_every_level_and_nothing_else_is(tmp_path: Path, zarr_format: int) -> None:
    path, of = tmp_path / "a.zarr", specs.spec(zarr_format=zarr_format)
    specs.store(path, of)
    before = contents(path)
    update_meta(path, of, {"blocks": [1, 1]})
    assert contents(path) == before
    update_meta(
        path,
        specs.spec(zarr_format=zarr_format, classes=(ClassRow(code=0, name="sea", color="#000000"),)),
        {"blocks": [1, 1]},
    )
    changed = {key for key, data in contents(path).items() if data != before[key]}
    name = "zarr.json" if zarr_format == 3 else ".zattrs"
    assert changed == {name} | {f"{k}/mask/{name}" for k in range(of.levels)}
    assert zarr.open_array(path / "2/mask", mode="r").attrs["flag_meanings"] == "sea"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_finished_store_is_complete_swept_and_consolidated_at_the_root_only(tmp_path: Path, zarr_format: int) -> None:
    path, of = tmp_path / "a.zarr", specs.spec(zarr_format=zarr_format)
    specs.store(path, of)
    (path / "0/mask/0.abc.partial").touch()
    assert "complete" not in read_store_meta(path)
    assert specs.finish(path, of, read_store_meta(path)) == tmp_path / "a.vrt"
    assert read_store_meta(path)["complete"] is True
    assert not list(path.rglob("*.partial"))
    if zarr_format == 3:
        said = [p for p in path.rglob("zarr.json") if "consolidated_metadata" in json.loads(p.read_text())]
        assert said == [path / "zarr.json"]
    else:
        assert list(path.rglob(".zmetadata")) == [path / ".zmetadata"]
    first = contents(path)
    specs.finish(path, of, read_store_meta(path))
    assert contents(path) == first


def test_a_vrt_of_somebody_else_is_neither_overwritten_nor_deleted(tmp_path: Path) -> None:
    source, path, of = tmp_path / "scene.vrt", tmp_path / "scene.zarr", specs.spec()
    source.write_text("<VRTDataset/>")
    specs.store(path, of)
    assert specs.finish(path, of, {}) == tmp_path / "scene.zarr.vrt"
    assert vrt_sidecar(path) == tmp_path / "scene.zarr.vrt"
    assert vrt.VRT_MARK in vrt_sidecar(path).read_text()
    delete_store(path)
    assert [p.name for p in tmp_path.iterdir()] == ["scene.vrt"]
    assert source.read_text() == "<VRTDataset/>"
