import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.grid import Grid
from pipeline.store import layers, ledger, overviews, spec
from pipeline.store.downsample import mean_2x2, mode_2x2
from pipeline.store.files import files_at
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import StoreSpec
from tests.store import specs

LAYERS = ("mask", "confidence", "probabilities", "entropy")


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overviews are written in blocks of 64 px, so that small rasters have several."""
    monkeypatch.setattr(spec, "OVERVIEW_BLOCK", 64)


def many_blocks(**changes: Any) -> StoreSpec:
    """Overviews of 2×3, 1×2, 1 and 1 blocks of 64 px where there are no shards."""
    return specs.spec(Grid(height=143, width=282), **{"layers": LAYERS, **changes})


def chunks(path: Path) -> dict[str, bytes]:
    return {
        key: (path / key).read_bytes()
        for key in files_at(path).list()
        if any(f"/{layer}/c/" in key for layer in LAYERS)
    }


def shuffled(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    there = list(items)
    random.Random(1).shuffle(there)
    return map(work, there)


def threads(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(3) as pool:
        yield from pool.map(work, items)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize(
    "changes", [{}, {"shard": 64}, {"shard": 128}, {"zarr_format": 2}, {"probabilities": "float16"}], ids=str
)
@pytest.mark.usefixtures("_small_blocks")
def test_every_level_is_the_level_below_reduced_as_a_whole(tmp_path: Path, changes: dict[str, Any]) -> None:
    of = many_blocks(**changes)
    path = specs.store(tmp_path / "a.zarr", of)
    overviews.build_overviews(path, of)
    for level in range(1, of.levels):
        below, made = (
            {layer: np.asarray(open_layer(path, k, layer)[:]) for layer in of.layers} for k in (level - 1, level)
        )
        assert (made["mask"] == mode_2x2(below["mask"], 255)).all()
        valid = below["mask"] != 255
        assert (made["confidence"] == mean_2x2(below["confidence"], valid, 0)).all()
        assert (made["entropy"] == mean_2x2(below["entropy"], valid, 255)).all()
        planes = [mean_2x2(plane, valid, of.layer("probabilities").fill) for plane in below["probabilities"]]
        assert np.array_equal(made["probabilities"], planes, equal_nan=of.probabilities == "float16")
    assert (made["mask"] != 255).any()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize(
    "telling", [("entropy",), ("confidence",), ("probabilities",), ("confidence", "probabilities", "entropy")], ids=str
)
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
@pytest.mark.usefixtures("_small_blocks")
def test_pixels_too_doubtful_for_the_mask_count_in_the_other_layers(
    tmp_path: Path, telling: tuple[str, ...], dtype: str
) -> None:
    """A store whose mask leaves pixels out is, in all other layers, the store of the same pixels whose mask does
    not."""
    both = many_blocks(probabilities=dtype, layers=("mask", *telling))
    sure, path = specs.store(tmp_path / "a", both), specs.store(tmp_path / "b", both)
    mask = open_layer(path, 0, "mask")
    mask[:, :200] = 255  # all that one block of the overview is made from, and a part of the next
    overviews.build_overviews(sure, both)
    overviews.build_overviews(path, replace(both, has_min_confidence=True))
    for level in range(1, both.levels):
        assert (
            np.asarray(open_layer(path, level, "mask")[:])
            == mode_2x2(np.asarray(open_layer(path, level - 1, "mask")[:]), 255)
        ).all()
        for layer in telling:
            found = [np.asarray(open_layer(store, level, layer)[:]) for store in (sure, path)]
            assert np.array_equal(*found, equal_nan=layer == "probabilities" and dtype == "float16"), (level, layer)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("engine", [shuffled, threads])
@pytest.mark.usefixtures("_small_blocks")
def test_bytes_do_not_depend_on_the_engine(tmp_path: Path, engine: Callable[..., Iterator[Any]]) -> None:
    of = many_blocks()
    for name, way in (("a", map), ("b", engine)):
        overviews.build_overviews(specs.store(tmp_path / name, of), of, engine=way)
    assert chunks(tmp_path / "a") == chunks(tmp_path / "b")
    assert len(chunks(tmp_path / "a")) > 50


@pytest.mark.slow
@pytest.mark.usefixtures("_small_blocks")
def test_a_build_that_dies_goes_on_with_the_blocks_that_have_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, real = many_blocks(), ledger.commit_block
    whole, path = (specs.store(tmp_path / name, of) for name in "ab")
    overviews.build_overviews(whole, of)
    written: list[tuple[int, tuple[int, int]]] = []

    def dies(store: Path, level: int, block: tuple[int, int], *rest: Any) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append((level, block))
        real(store, level, block, *rest)

    monkeypatch.setattr(overviews, "commit_block", dies)
    with pytest.raises(KeyboardInterrupt):
        overviews.build_overviews(path, of)
    first, told = list(written), []
    written[:] = []
    monkeypatch.setattr(overviews, "commit_block", lambda *args: (written.append(args[1:3]), real(*args)))
    overviews.build_overviews(path, of, progress=lambda done, total: told.append((done, total)))
    assert len(set(first) | set(written)) == len(first) + len(written) == 10
    assert told[0] == (5, 10)
    assert told[-1] == (10, 10)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert chunks(path) == chunks(whole)


@pytest.mark.usefixtures("_small_blocks")
def test_what_is_empty_below_is_neither_read_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = many_blocks(layers=("mask",))
    path = tmp_path / "a.zarr"
    create(path, of, {})
    open_layer(path, 0, "mask")[130:, 260:] = 3
    reduced: list[np.ndarray] = []
    monkeypatch.setattr(layers, "mode_2x2", lambda mask, nodata: (reduced.append(mask), mode_2x2(mask, nodata))[1])
    overviews.build_overviews(path, of)
    assert sorted(key for key in chunks(path) if key.startswith("1/")) == ["1/mask/c/2/4"]
    assert [mask.shape for mask in reduced] == [(15, 26), (8, 13), (4, 7), (18, 4)]
    assert ledger.Ledger(path, 1).count() == 6
    record = ledger.Ledger(path, 1).record((0, 0))
    assert record is not None
    assert set(record["chunks"].values()) == {"empty"}


@pytest.mark.usefixtures("_small_blocks")
def test_pixels_whose_pixels_below_are_gone_go_as_well(tmp_path: Path) -> None:
    of = many_blocks(layers=("mask",))
    path = tmp_path / "a.zarr"
    create(path, of, {})
    for rows in (slice(0, 20), slice(130, 143)):
        open_layer(path, 0, "mask")[rows, 260:] = 3
    overviews.build_overviews(path, of)
    open_layer(path, 0, "mask")[130:, 260:] = 255
    overviews.invalidate_above(path, of, 32, [(4, 8)])
    overviews.build_overviews(path, of)
    assert sorted(key for key in chunks(path) if key.startswith("1/")) == ["1/mask/c/0/4"]
    assert (np.asarray(open_layer(path, 4, "mask")[:]) == 3).sum() == 2 * 2


@pytest.mark.slow
@pytest.mark.nightly("scale")
@pytest.mark.parametrize("classes", [2, 0, 12])
def test_what_is_held_grows_neither_with_the_level_below_nor_with_the_classes(tmp_path: Path, classes: int) -> None:
    """A block of one shard of 4096² px is made from 8192² px, which are never held at once, and of probabilities one
    class at a time."""
    rows = tuple(spec.ClassRow(code=k, name=f"c{k}", color="#000000") for k in range(classes))
    more = {"layers": ("mask", "probabilities"), "classes": rows} if classes else {}
    of = specs.spec(Grid(height=8192, width=8192), chunk=256, shard=4096, levels=2, **more)
    path = tmp_path / "a.zarr"
    create(path, of, {})
    open_layer(path, 0, "mask")[:4096:512, ::512] = 3
    for k in range(classes):
        open_layer(path, 0, "probabilities")[k, :4096:512, ::512] = 9
    task = overviews.OverviewTask(store=path, spec=of, level=1)
    tracemalloc.start()
    task(BlockIndex(0, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (open_layer(path, 1, "mask")[:2048:256, ::256] == 3).all()
    assert peak < 8192 * 8192
