"""Ids of objects as a label image inside the store: its pixels, its metadata, and what is left of one cut short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import xarray
import yaozarrs
import zarr

from pipeline.errors import ConfigError, PlanError, Unfinished
from pipeline.exports import label_image
from pipeline.exports.task import ExportRequest
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.locations import Place, Remote
from pipeline.running.export import export_store
from pipeline.store import lifecycle, overviews
from pipeline.store.cleaned import begin_cleaned
from pipeline.store.files import files_at
from pipeline.store.files.objects import zarr_path
from pipeline.store.instances import published_instances
from pipeline.store.lease.lease import acquire
from pipeline.store.ledger import Ledger, commit_block
from pipeline.store.lifecycle import clear_open_arrays, open_layer, read_store_meta
from pipeline.store.spec import StoreSpec
from tests import runs
from tests.objects.test_components import reference_ids
from tests.storage import BUCKET, Storage, contents
from tests.store import specs


def ignore(line: str) -> None:
    """Whatever is told."""


def codes_of(spec: StoreSpec) -> np.ndarray:
    """Blobs of all classes, nodata among them."""
    shape = (-(-spec.grid.height // 4), -(-spec.grid.width // 4))
    small = np.random.default_rng(3).choice([0, 3, 7, 255], shape, p=[0.3, 0.3, 0.3, 0.1])
    return np.kron(small, np.ones((4, 4), int))[: spec.grid.height, : spec.grid.width].astype(spec.dtype)


def make(path: Place, spec: StoreSpec, blocks: dict[tuple[int, int], np.ndarray] | None = None) -> Place:
    """A complete store of a mask, or of some blocks of it; a block has 2 × 2 chunks."""
    side = 2 * spec.chunk
    meta: dict[str, Any] = {
        "id": "1",
        "blocks": [-(-spec.grid.height // side), -(-spec.grid.width // side)],
        "tiles": {"block": side, "chunk": spec.chunk, "shard": spec.shard},
        "classes": [asdict(row) for row in spec.classes],
        "config": {"output": {"layers": ["mask"], "exports": []}},
        "fingerprint": {},
        **({} if blocks is None else {"asked": len(blocks)}),
    }
    assert lifecycle.create(path, spec, meta)
    codes = codes_of(spec) if blocks is None else None
    for row in range(meta["blocks"][0]) if blocks is None else ():
        for col in range(meta["blocks"][1]):
            window = Window(row=row * side, col=col * side, height=side, width=side)
            write(path, spec, window, codes[window.slices])
    for (row, col), values in (blocks or {}).items():
        write(path, spec, Window(row=row * side, col=col * side, height=side, width=side), values)
    overviews.build_overviews(path, spec, block=None if blocks is None else side)
    lifecycle.mark_complete(path, spec, meta)
    return path


def write(path: Place, spec: StoreSpec, window: Window, values: np.ndarray) -> None:
    inside = window.clip(spec.grid.height, spec.grid.width)
    open_layer(path, 0, "mask")[inside.slices] = values
    side = 2 * spec.chunk
    commit_block(path, 0, (window.row // side, window.col // side), inside, ("mask",), {})


def export(path: Place, to: str = "zarr-labels", overwrite: bool = False, **options: Any) -> Place:
    clear_open_arrays()
    memory = options.pop("memory", 2**30)
    return export_store(path, ExportRequest(to=to, memory=memory, options=options), overwrite, ignore)


def levels(path: Place, spec: StoreSpec) -> list[np.ndarray]:
    clear_open_arrays()
    return [np.asarray(open_layer(path, level, "instances")[:]) for level in range(spec.levels)]


def expected(spec: StoreSpec, connectivity: int = 4, codes: tuple[int, ...] = (0, 3)) -> np.ndarray:
    return np.where(np.isin(codes_of(spec), codes), reference_ids(codes_of(spec), connectivity), 0)


def mode(ids: np.ndarray) -> np.ndarray:
    """Of 2 × 2 ids that are not 0, the most frequent one, and of several the lowest."""
    padded = np.pad(ids, [(0, side % 2) for side in ids.shape])
    result = np.zeros([side // 2 for side in padded.shape], ids.dtype)
    for row, col in np.ndindex(result.shape):
        values, counts = np.unique(padded[2 * row : 2 * row + 2, 2 * col : 2 * col + 2], return_counts=True)
        counts = counts[values > 0]
        result[row, col] = values[values > 0][counts.argmax()] if len(counts) else 0
    return result


FORMS: dict[str, dict[str, Any]] = {
    "v3": {},
    "shards": {"shard": 64},
    "v2": {"zarr_format": 2, "grid": "of a slide"},
}


@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("form", FORMS)
def test_levels_are_those_of_the_whole_mask_and_readers_open_them(tmp_path: Path, form: str) -> None:
    spec = specs.spec(**FORMS[form])
    path = make(tmp_path / "a.zarr", spec)
    assert export(path) == path / "labels" / "instances"
    ids = levels(path, spec)
    assert (ids[0] == expected(spec)).all()
    for finer, coarser in pairwise(ids):
        assert (coarser == mode(finer)).all()
    array = open_layer(path, 0, "instances")
    assert (array.dtype, array.fill_value, array.shards) == (np.uint32, 0, (64, 64) if form == "shards" else None)
    yaozarrs.validate_zarr_store(path)
    if form != "v2":  # OME 0.4 says no version there, and the validator asks for one
        yaozarrs.validate_zarr_store(path / "labels")
    group = zarr.open_group(path / "labels" / "instances", mode="r")
    ome = group.attrs.asdict() if form == "v2" else group.attrs["ome"]
    assert [row["path"] for row in ome["multiscales"][0]["datasets"]] == [str(k) for k in range(spec.levels)]
    assert ome["image-label"]["source"] == {"image": "../../"}
    coarser_levels = [str(k) for k in range(1, spec.levels)]
    opened = xarray.open_zarr(
        path, group="labels/instances", consolidated=False, drop_variables=coarser_levels, mask_and_scale=False
    )
    assert (opened["0"].values == ids[0]).all()
    assert xarray.open_zarr(path, group="0", consolidated=False)["mask"].shape == ids[0].shape


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_names_the_labels_and_the_store_stays_complete(tmp_path: Path, zarr_format: Any) -> None:
    spec = specs.spec(zarr_format=zarr_format)
    path = make(tmp_path / "a.zarr", spec)
    before = read_store_meta(path)
    export(path)
    root = zarr.open_group(path, mode="r", use_consolidated=True)
    assert read_store_meta(path) == before
    assert labels_in(root) == ["instances"]
    assert root["labels/instances"].attrs["wholecloth"] == published_instances(path)
    assert root["labels/instances/0"].shape == (100, 130)
    assert root["0/mask"].shape == (100, 130)


def labels_in(root: zarr.Group) -> list[str]:
    attributes: dict[str, Any] = root["labels"].attrs.asdict()
    return list(attributes.get("ome", attributes).get("labels", []))


OPTIONS: list[dict[str, Any]] = [
    {},
    {"min_area": "4000 m2", "connectivity": 8, "classes": ["forest", "open water"]},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_ids_are_those_of_polygons(tmp_path: Path, options: dict[str, Any]) -> None:
    spec = specs.spec()
    path = make(tmp_path / "a.zarr", spec)
    export(path, **options)
    table = pyarrow.parquet.read_table(export(path, "geoparquet", **options))
    ids, counts = np.unique(levels(path, spec)[0], return_counts=True)
    assert ids[ids > 0].tolist() == sorted(table["id"].to_pylist())
    areas = dict(zip(table["id"].to_pylist(), table["area_m2"].to_pylist(), strict=True))
    assert [areas[name] for name in ids[ids > 0].tolist()] == pytest.approx(100 * counts[ids > 0], rel=2e-3)


class Killed(BaseException):
    """What ends a process."""


def killed_after(monkeypatch: pytest.MonkeyPatch, count: int) -> Callable[..., None]:
    """Commits that end the process after so many; all of them, of level 0 and of overviews."""
    left = [count]

    def commit(*args: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        commit_block(*args)

    monkeypatch.setattr(label_image, "commit_block", commit)
    monkeypatch.setattr(overviews, "commit_block", commit)
    return commit


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize("count", [2, 6])
def test_one_that_is_killed_is_no_label_image_and_a_rerun_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    spec = specs.spec()
    path, other = make(tmp_path / "a.zarr", spec), make(tmp_path / "b.zarr", spec)
    export(other)
    with monkeypatch.context() as patch:
        killed_after(patch, count)
        with pytest.raises(Killed):
            export(path)
    assert published_instances(path) is None
    assert labels_in(zarr.open_group(path, mode="r", use_consolidated=False)) == []
    assert sum(Ledger(path, level, "instances").count() for level in range(spec.levels)) == count
    commits = killed_after(monkeypatch, 100)
    export(path)
    assert commits.__closure__ is not None
    assert 100 - commits.__closure__[0].cell_contents[0] == 6 + 3 - count  # what was committed is not made again
    assert runs.everything(path).keys() == {key.replace("b.", "a.", 1) for key in runs.everything(other)}
    assert runs.arrays(path) == runs.arrays(other)
    assert not [*tmp_path.glob(".*")]


def test_what_is_damaged_is_made_anew_and_the_rest_is_left(tmp_path: Path) -> None:
    spec = specs.spec()
    path = make(tmp_path / "a.zarr", spec)
    export(path)
    before = runs.arrays(path)
    chunk = path / "labels" / "instances" / "0" / "c" / "0" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    other = path / "labels" / "instances" / "0" / "c" / "3" / "3"
    written = other.stat().st_mtime_ns
    export(path)
    assert runs.arrays(path) == before
    assert other.stat().st_mtime_ns == written
    export(path, overwrite=True)
    assert runs.arrays(path) == before
    assert other.stat().st_mtime_ns != written


def test_other_objects_and_other_codes_make_another_image(tmp_path: Path) -> None:
    spec = specs.spec()
    path = make(tmp_path / "a.zarr", spec)
    export(path)
    few = published_instances(path)
    export(path, classes=["forest"])
    assert (levels(path, spec)[0] == expected(spec, codes=(7,))).all()
    assert (levels(path, spec)[2] > 0).sum() < (expected(spec) > 0).sum()
    assert published_instances(path) != few
    begin_cleaned(path, spec, {"steps": [], "resolved": [], "fingerprint": "of other steps"})
    assert published_instances(path) is None  # what it is made of is about to change
    assert labels_in(zarr.open_group(path, mode="r", use_consolidated=False)) == []


def test_labels_of_others_stay(tmp_path: Path) -> None:
    spec = specs.spec()
    path = make(tmp_path / "a.zarr", spec)
    labels = zarr.open_group(path / "labels", mode="a", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    labels.create_group("instances", attributes={"by": "somebody else"})
    with pytest.raises(ConfigError, match="was not written by an export"):
        export(path)
    assert labels["instances"].attrs.asdict() == {"by": "somebody else"}
    export(path, overwrite=True)
    assert labels_in(zarr.open_group(path, mode="r")) == ["cells", "instances"]
    begin_cleaned(path, spec, {"steps": [], "resolved": [], "fingerprint": "of other steps"})
    assert labels_in(zarr.open_group(path, mode="r", use_consolidated=False)) == ["cells"]


def test_what_it_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", specs.spec())
    with pytest.raises(ConfigError, match="lies inside its store"):
        export_store(path, ExportRequest(to="zarr-labels", out=tmp_path / "b.zarr"), False, ignore)
    with pytest.raises(ConfigError, match="thins polygons"):
        export(path, simplify=1.0)
    with pytest.raises(ConfigError, match="names water"):
        export(path, classes=["water"])
    with pytest.raises(PlanError, match=r"Give --memory 3\d\dMiB"):
        export(path, memory=2**20)
    with acquire(path, None, "another", ignore), pytest.raises(Unfinished):
        export(path)
    assert not (path / "labels").exists()


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_it_lies_on_object_storage_as_on_disk(s3: Storage, tmp_path: Path) -> None:
    spec = specs.spec()
    remote, local = Remote(f"s3://{BUCKET}/{tmp_path.name}/a.zarr"), tmp_path / "a.zarr"
    before = contents(Remote(f"s3://{BUCKET}"))
    for path in (remote, local):
        make(path, spec)
        export(path, connectivity=8)
    files = files_at(remote)
    for key in files_at(local).list("labels"):
        assert files.get(key) == (local / key).read_bytes(), key
    assert labels_in(zarr.open_group(zarr_path(remote), mode="r", use_consolidated=True)) == ["instances"]
    added = contents(Remote(f"s3://{BUCKET}")).keys() - before.keys()
    assert all(f"{tmp_path.name}/a.zarr/" in key for key in added)  # no group above the store


@pytest.mark.slow
@pytest.mark.nightly("scale")
def test_few_blocks_of_a_raster_of_a_million_squared(tmp_path: Path) -> None:
    """An object that crosses two blocks, and one in the last corner; ids need 64 bits."""
    side = 10**6
    grid = Grid(height=side, width=side, transform=specs.NORTH_UP, wkt=specs.UTM, code="EPSG:32633")
    spec, block = specs.spec(grid, chunk=512), 1024
    last, rest = divmod(side, block)
    values, corner = np.full((block, block), 255, np.uint8), np.full((rest, rest), 3, np.uint8)
    values[10:20] = 3
    path = make(tmp_path / "a.zarr", spec, {(5, 7): values, (5, 8): values, (last, last): corner})
    export(path)
    array = open_layer(path, 0, "instances")
    assert array.dtype == np.uint64
    first, other = (5 * block + 10) * side + 7 * block + 1, last * block * (side + 1) + 1
    assert np.unique(array[5 * block : 6 * block, 7 * block : 9 * block]).tolist() == [0, first]
    assert np.unique(array[-rest:, -rest:]).tolist() == [other]
    chunks = [file for file in (path / "labels" / "instances" / "0" / "c").rglob("*") if file.is_file()]
    assert len(chunks) == 2 + 2 + 4
    top = np.asarray(open_layer(path, spec.levels - 1, "instances")[:])
    assert sorted(set(top.ravel().tolist())) == [0, first, other]
