"""A store on object storage.

Made and deleted so that a part is never taken for the whole, and the same bytes as on disk.
"""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray
import zarr
from zarr.storage import ObjectStore

from pipeline.errors import StoreError
from pipeline.exports import quicklook
from pipeline.exports.sidecars import delete_store
from pipeline.exports.vrt import vrt_sidecar
from pipeline.geometry.window import Window
from pipeline.locations import Remote
from pipeline.store import create_remote
from pipeline.store import overviews as pyramid
from pipeline.store.files import files_at
from pipeline.store.files.clients import client
from pipeline.store.files.object_storage import Bucket
from pipeline.store.files.objects import zarr_path
from pipeline.store.ledger import ABSENT_CHUNK, Ledger, changed_chunks, commit_block, has_any_chunk
from pipeline.store.lifecycle import (
    clear_open_arrays,
    create,
    delete,
    exists,
    is_half_created,
    is_mask_store,
    open_layer,
    read_store_meta,
    remove_partial_files,
    write_certificate,
)
from pipeline.store.reader import open_store
from pipeline.store.status import overviews, status
from pipeline.store.values import ValuesSpec
from tests.storage import BUCKET, Storage, contents
from tests.store import specs


@pytest.fixture
def place(s3: Storage, tmp_path: Path) -> Remote:
    return Remote(f"s3://{BUCKET}/{tmp_path.name}/scene.zarr")


class Killed(BaseException):
    """What a kill does: whatever comes next is not done."""


def killed_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process write so many objects, or delete so many batches, and no more."""
    left = count(writes, -1)
    for name in ("put", "create", "clear"):
        real = getattr(Bucket, name)

        def counted(self: Bucket, *args: Any, real: Any = real) -> Any:
            if next(left) <= 0:
                raise Killed
            return real(self, *args)

        monkeypatch.setattr(Bucket, name, counted)


def whole(path: Path, **changes: Any) -> dict[str, bytes]:
    """The files of an empty store on disk."""
    create(path, specs.spec(**changes), {"who": 1})
    return contents(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"zarr_format": 2}, {"shard": 64, "layers": ("mask", "probabilities")}], ids=str
)
def test_an_empty_store_is_the_one_that_a_disk_holds(place: Remote, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert not exists(place)
    assert create(place, specs.spec(**changes), {"who": 1})
    made = contents(place)
    del made[create_remote.CLAIM]
    assert made == whole(tmp_path / "scene.zarr", **changes)
    assert read_store_meta(place) == {"who": 1}
    assert is_mask_store(place)
    assert not is_half_created(place)
    assert not create(place, specs.spec(**changes), {"who": 2})
    assert read_store_meta(place) == {"who": 1}


NUMBERS = {"layers": ("values",), "classes": (), "values": ValuesSpec(channels=("height",))}
WITH_VALUES = {"config": {"output": {"layers": ["values"]}}}


def test_a_store_without_a_mask_has_its_claim_below_its_own_array(place: Remote, tmp_path: Path) -> None:
    assert create(place, specs.spec(**NUMBERS), {"who": 1, **WITH_VALUES})
    assert is_mask_store(place)
    made = contents(place)
    assert not [key for key in made if "/mask" in key]
    assert create_remote.CLAIM_WITHOUT_MASK in made
    assert not create(place, specs.spec(**NUMBERS), {"who": 2})
    Ledger(place).commit((0, 0), {"chunks": {}})
    assert "0/values/ledger/r00000/b00000.json" in contents(place)
    delete(place)
    assert not exists(place)


@pytest.mark.parametrize("changes", [{}, NUMBERS], ids=["classes first", "numbers first"])
def test_of_a_store_with_a_mask_and_one_without_at_one_place_only_one_is_made(
    place: Remote, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """The first is killed when it has claimed the place; the other leaves it alone, and deletes it if told to."""
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(Killed):
            create(place, specs.spec(**changes), {})
    claimed = set(contents(place))
    other = {} if changes else NUMBERS
    with pytest.raises(StoreError, match="being made by a job with other layers"):
        create(place, specs.spec(**other), {})
    assert set(contents(place)) == claimed
    delete(place)
    assert create(place, specs.spec(**other), {})


def test_nothing_is_written_after_the_root_and_the_root_after_everything(s3: Storage, place: Remote) -> None:
    create(place, specs.spec(), {})
    puts = [path for method, path, status in s3.asked if method == "PUT" and status == 200]
    assert puts[0].endswith(f"scene.zarr/{create_remote.CLAIM}")
    assert puts[-1].endswith("scene.zarr/zarr.json")
    assert len(puts) == len(set(puts)) == len(contents(place))


@pytest.mark.slow
@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize("version", [3, 2])
def test_a_creator_that_is_killed_anywhere_leaves_nothing_that_looks_whole_and_the_next_one_carries_it_out(
    place: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Any
) -> None:
    """The second has another plan: what comes out is wholly the first one's, unless that had not even claimed it."""
    one, other = {"zarr_format": version}, {"zarr_format": version, "chunk": 64, "layers": ("mask", "entropy")}
    first, second = whole(tmp_path / "one", **one), whole(tmp_path / "other", **other)
    for writes in (*range(4), len(first) - 1, len(first)):
        there = place.with_name(f"{writes}.zarr")
        with monkeypatch.context() as patch:
            killed_after(writes, patch)
            with pytest.raises(Killed):
                create(there, specs.spec(**one), {"who": 1})
        assert is_half_created(there) == is_mask_store(there) == exists(there) == (writes > 0)
        with pytest.raises(StoreError, match="not a store of ours"):
            read_store_meta(there)
        assert create(there, specs.spec(**other), {"who": 1}) == (writes == 0)
        made = contents(there)
        del made[create_remote.CLAIM]
        assert made == (first if writes else second)


@pytest.mark.slow
def test_a_helper_that_comes_late_replaces_nothing(place: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(Killed):
            create(place, specs.spec(), {})
    files_at(place).put("0/mask/zarr.json", b"made since")
    assert not create(place, specs.spec(), {})
    assert files_at(place).get("0/mask/zarr.json") == b"made since"


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_of_many_creators_with_unlike_plans_one_makes_the_whole_store(place: Remote, tmp_path: Path) -> None:
    plans = [{"chunk": 32}, {"chunk": 64}, {"zarr_format": 2}, {"layers": ("mask", "confidence")}]
    made, start = [], threading.Barrier(8)

    def run(k: int) -> None:
        start.wait()
        made.append((create(place, specs.spec(**plans[k % 4]), {"who": 1}), k))  # type: ignore[arg-type]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [k for won, k in made if won]
    assert len(made) == 8
    assert len(winners) == 1
    found = contents(place)
    del found[create_remote.CLAIM]
    assert found == whole(tmp_path / "scene.zarr", **plans[winners[0] % 4])  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.nightly("storage", after=2)
@pytest.mark.parametrize("steps", [3, 0, 1, 2, 4])
def test_a_deletion_that_is_killed_anywhere_leaves_no_store_and_can_be_taken_up(
    place: Remote, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    specs.finish(specs.store(place, specs.spec()), specs.spec(), {"blocks": [1, 1]})  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        killed_after(steps, patch)
        with pytest.raises(Killed):
            delete_store(place)
    if steps >= 3:  # the sidecar, the mark that it is being deleted, the root
        assert is_half_created(place)
        with pytest.raises(StoreError, match=r"is being deleted.*--fresh"):
            create(place, specs.spec(), {})
    delete_store(place)
    assert not exists(place)
    assert not exists(place.with_suffix(".vrt"))
    assert create(place, specs.spec(), {})


def test_somebody_elses_objects_are_left_alone(place: Remote) -> None:
    files_at(place).put("diary.txt", b"keep me")
    files_at(place.parent).put("scene.vrt", b"<VRTDataset>of the source</VRTDataset>")
    assert exists(place)
    assert not is_mask_store(place)
    with pytest.raises(StoreError, match="not a store of ours"):
        delete_store(place)
    assert vrt_sidecar(place) == place.with_name("scene.zarr.vrt")
    assert contents(place) == {"diary.txt": b"keep me"}


def committed(place: Remote | Path, **changes: Any) -> Remote | Path:
    """A store whose blocks of 64 px are committed, with overviews, finished."""
    of = specs.spec(**changes)
    create(place, of, {"blocks": [2, 3], "tiles": {"block": 64}, "classes": []})
    pixels = specs.pixels(of)
    for row in range(2):
        for col in range(3):
            window = Window(row=64 * row, col=64 * col, height=64, width=64).clip(of.grid.height, of.grid.width)
            open_layer(place, 0, "mask")[window.slices] = pixels[window.slices]
            commit_block(place, 0, (row, col), window, of.layers, {"source": "x"})
    pyramid.build_overviews(place, of)
    specs.finish(place, of, {"blocks": [2, 3], "tiles": {"block": 64}, "classes": []})
    quicklook.draw_quicklook(place, of, place.with_suffix(".png"))
    return place


@pytest.mark.slow
@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize("changes", [{}, {"zarr_format": 2}, {"shard": 64}], ids=str)
def test_a_finished_store_is_the_one_that_a_disk_holds(place: Remote, tmp_path: Path, changes: dict[str, Any]) -> None:
    committed(place, **changes)
    committed(tmp_path / "scene.zarr", **changes)
    made = contents(place)
    del made[create_remote.CLAIM]
    assert made == contents(tmp_path / "scene.zarr")
    beside = {key for key in contents(place.parent) if not key.startswith("scene.zarr/")}
    assert beside == {"scene.vrt", "scene.png"}
    assert files_at(place.parent).get("scene.vrt") == (tmp_path / "scene.vrt").read_bytes()
    assert status(place).complete
    assert overviews(place) == overviews(tmp_path / "scene.zarr")
    write_certificate(place, {"passed": True, "why": "looked at"})
    assert status(place).certificate == {"passed": True, "why": "looked at"}
    assert remove_partial_files(place) is None


@pytest.mark.slow
def test_records_know_what_was_sent_and_damage_is_found(s3: Storage, place: Remote) -> None:
    committed(place)
    records = specs.records(place)
    assert len(records) == 6
    assert all(changed_chunks(place, record) == [] for record in records.values())
    assert ABSENT_CHUNK in records[0, 0]["chunks"].values()  # a corner of nodata
    assert ABSENT_CHUNK not in records[1, 1]["chunks"].values()
    files_at(place).put("0/mask/c/2/2", b"damaged")
    files_at(place).delete("0/mask/c/2/3")
    assert sorted(changed_chunks(place, records[1, 1])) == ["0/mask/c/2/2", "0/mask/c/2/3"]
    assert has_any_chunk(place, 0, "mask", Window(row=64, col=64, height=32, width=32))
    assert not has_any_chunk(place, 0, "mask", Window(row=0, col=0, height=32, width=32))


@pytest.mark.slow
def test_a_block_costs_a_request_for_each_chunk_and_two_for_its_record(s3: Storage, place: Remote) -> None:
    of = specs.spec()
    create(place, of, {"blocks": [2, 3]})
    open_layer(place, 0, "mask")
    s3.forget()
    window = Window(row=32, col=64, height=64, width=64)
    open_layer(place, 0, "mask")[window.slices] = np.full((64, 64), 1, dtype="uint8")
    commit_block(place, 0, (0, 0), window, of.layers, {})
    asked = [(method, path.partition("scene.zarr/")[2]) for method, path, _ in s3.asked]
    assert sorted(asked[:4]) == [("PUT", f"0/mask/c/{row}/{col}") for row in (1, 2) for col in (2, 3)]
    assert asked[4:] == [("PUT", "0/mask/ledger/r00000/b00000.json"), ("POST", "")]


@pytest.mark.slow
def test_a_chunk_that_is_empty_costs_one_request_and_is_recorded_so(s3: Storage, place: Remote) -> None:
    of, window = specs.spec(), Window(row=0, col=0, height=32, width=32)
    create(place, of, {"blocks": [4, 5]})
    for code, said in ((1, 1), (255, 0)):
        open_layer(place, 0, "mask")[window.slices] = np.full((32, 32), code, dtype="uint8")
        s3.forget()
        commit_block(place, 0, (0, 0), window, of.layers, {})
        assert [method for method, _, _ in s3.asked] == ["PUT", "POST"]
        record = Ledger(place).record((0, 0)) or {}
        assert (record["chunks"]["0/mask/c/0/0"] != ABSENT_CHUNK) == said
        assert changed_chunks(place, record) == []


@pytest.mark.slow
def test_everybody_opens_it(s3: Storage, place: Remote) -> None:
    committed(place)
    expected = specs.pixels(specs.spec())
    there = ObjectStore(client("s3", BUCKET), read_only=True)
    assert (zarr.open_array(there, path=f"{place.key}/0/mask", mode="r")[:] == expected).all()
    from obstore.store import S3Store

    inside = ObjectStore(S3Store(BUCKET, prefix=place.key, client_options={"allow_http": True}), read_only=True)
    with xarray.open_zarr(inside, group="0", consolidated=False) as scene:
        assert (scene.mask.values == expected).all()
        assert scene.mask.dtype == "uint8"
    opened = open_store(place, 1)
    assert opened.blocks == opened.committed_blocks() == 1
    assert (
        opened.read(Window(row=0, col=0, height=50, width=65))
        == zarr.open_array(zarr_path(place, "1/mask"), mode="r")[:]
    ).all()


@pytest.mark.slow
def test_gdal_opens_the_sidecar_where_it_lies(s3: Storage, place: Remote) -> None:
    committed(place, zarr_format=2)
    host = s3.url.removeprefix("http://")
    with rasterio.Env(AWS_S3_ENDPOINT=host, AWS_HTTPS="NO", AWS_VIRTUAL_HOSTING="FALSE"):
        with rasterio.open(f"/vsis3/{BUCKET}/{place.parent.key}/scene.vrt") as mask:
            assert (mask.read(1) == specs.pixels(specs.spec())).all()
            assert mask.overviews(1) == [2, 4, 8]
        with rasterio.open(f'ZARR:"/vsis3/{BUCKET}/{place.key}":/0/mask') as mask:
            assert (mask.read(1) == specs.pixels(specs.spec())).all()


@pytest.mark.slow
def test_what_was_opened_is_seen_anew(place: Remote) -> None:
    create(place, specs.spec(), {})
    assert (open_layer(place, 0, "mask")[:] == 255).all()
    delete_store(place)
    create(place, specs.spec(nodata=7), {})
    clear_open_arrays()
    assert (open_layer(place, 0, "mask")[:] == 7).all()
