"""Reads that hang: they fail in time, the next goes on, and so many of them say that the storage is away."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, ReadHangs, SourceError, Unfinished
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources import open_source
from pipeline.sources.wrappers.read_timeout import MAX_HUNG, MAX_HUNG_IN_A_ROW, TimeoutSource, hanging, with_timeout
from tests import scenes
from tests.sources.served import served

WINDOW = Window(row=3, col=4, height=5, width=6)


class Storage:
    """Some reads hang until it comes back."""

    bands = 1
    open_files = 7
    working_bytes = 3

    def __init__(self) -> None:
        self.back = threading.Event()
        self.away = 0
        self.asked: list[Window] = []
        self.error: Exception | None = None

    def read(self, window: Window) -> Pixels:
        self.asked.append(window)
        if len(self.asked) <= self.away:
            self.back.wait()
        if self.error is not None:
            raise self.error
        return Pixels(
            data=np.full((1, window.height, window.width), window.row),
            valid=np.ones((window.height, window.width), bool),
        )


@pytest.fixture
def storage() -> Iterator[Storage]:
    made = Storage()
    yield made
    made.back.set()
    settled()


def settled() -> None:
    """All that hung has come back."""
    deadline = time.monotonic() + 60
    while hanging() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not hanging()


def of(storage: Storage, seconds: float = 0.05) -> TimeoutSource:
    made = with_timeout(lambda: storage, seconds, "a.tif")  # type: ignore[arg-type, return-value]
    assert isinstance(made, TimeoutSource)
    return made


def readers() -> int:
    return sum(thread.name == "reader" for thread in threading.enumerate())


def test_a_read_that_hangs_fails_and_the_next_goes_on(storage: Storage) -> None:
    storage.away, source = 1, of(storage)
    with pytest.raises(
        ReadHangs, match=r"a\.tif cannot be read at .*did not answer within 0\.05 s \(execution\.read_timeout\)"
    ):
        source.read(WINDOW)
    assert hanging() == 1
    assert (of(storage, 60).read(WINDOW).data == 3).all()
    storage.back.set()
    settled()


def test_where_so_many_hang_the_storage_is_away_and_nobody_is_sent_any_more_until_it_is_back(storage: Storage) -> None:
    storage.away, source = 1000, of(storage, 0.01)
    for _ in range(MAX_HUNG_IN_A_ROW):
        with pytest.raises(ReadHangs):
            source.read(WINDOW)
    with pytest.raises(Unfinished, match=rf"{MAX_HUNG_IN_A_ROW} reads of a\.tif hang.*run the same command again"):
        source.read(WINDOW)
    assert len(storage.asked) == MAX_HUNG_IN_A_ROW
    storage.back.set()
    settled()
    assert of(storage, 60).read(WINDOW).valid.all()


@pytest.mark.slow
def test_bad_places_among_good_ones_are_not_the_storage_until_there_are_very_many(storage: Storage) -> None:
    storage.away, hasty, calm, good = 10_000, of(storage, 0.01), of(storage, 60), Storage()
    for k in range(MAX_HUNG):
        with pytest.raises(ReadHangs):
            hasty.read(WINDOW)
        if k % (MAX_HUNG_IN_A_ROW - 1) == 0:
            of(good, 60).read(WINDOW)
    with pytest.raises(Unfinished, match=f"{MAX_HUNG} reads"):
        calm.read(WINDOW)


def test_helpers_are_taken_again_also_those_that_hung(storage: Storage) -> None:
    source = of(storage, 60)
    for _ in range(20):
        source.read(WINDOW)
    before = readers()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(source.read, [WINDOW] * 50))
    assert readers() <= max(before, 4)
    storage.away, hasty, before = len(storage.asked) + 2, of(storage), readers()
    for _ in range(2):
        with pytest.raises(ReadHangs):
            hasty.read(WINDOW)
    storage.back.set()
    settled()
    most = readers()
    for _ in range(20):
        source.read(WINDOW)
    assert readers() <= most


@pytest.mark.parametrize("error", [ReadError("away"), TimeoutError("of the system's own"), ValueError("ours")])
def test_what_a_read_raises_is_what_is_raised(storage: Storage, error: Exception) -> None:
    storage.error = error
    with pytest.raises(type(error), match=str(error)):
        of(storage, 60).read(WINDOW)
    assert not hanging()


def test_nothing_of_a_read_is_held_by_its_helper(storage: Storage) -> None:
    import gc
    import weakref

    pixels = of(storage, 60).read(WINDOW)
    gone = weakref.ref(pixels.data)
    del pixels
    deadline = time.monotonic() + 60
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
    assert gone() is None


def test_a_source_that_does_not_open_in_time_ends_the_run_and_one_that_is_wrong_says_so(
    storage: Storage, tmp_path: Path
) -> None:
    with pytest.raises(Unfinished, match=r"b\.tif did not answer within 0\.05 s .* when it was opened"):
        with_timeout(lambda: storage.back.wait() and storage, 0.05, "b.tif")  # type: ignore[arg-type, return-value]
    with pytest.raises(SourceError, match="does not exist"):
        open_source(SourceConfig(path=str(tmp_path / "gone.tif")), 60)
    storage.back.set()
    settled()


def test_a_raster_reads_the_same_with_patience_also_where_it_came_by_pickle(tmp_path: Path) -> None:
    said = SourceConfig(path=str(scenes.write(tmp_path / "a.tif", scenes.position(40, 50), nodata=7)))
    plain, source = open_source(said), open_source(said, 60)
    assert isinstance(source, TimeoutSource)
    for each in (source, pickle.loads(pickle.dumps(source))):
        got, same = each.read(WINDOW), plain.read(WINDOW)
        assert (got.data == same.data).all()
        assert (got.valid == same.valid).all()
        assert facts(each) == facts(plain)


def facts(source: Any) -> tuple[Any, ...]:
    return source.grid, source.bands, source.dtype, source.block, source.open_files, source.identity()


@pytest.mark.slow
def test_a_server_that_no_longer_answers_fails_the_read_and_gdal_lets_go_of_it_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    scenes.write(tmp_path / "a.tif", scenes.position(1000, 1000), tiled=True, blockxsize=256, blockysize=256)
    with served(tmp_path, tmp_path / "log") as server:
        source = open_source(SourceConfig(path=f"{server.url}/a.tif"), 2)
        assert source.read(WINDOW).valid.all()
        server.hang()
        with pytest.raises(ReadError, match=r"a\.tif cannot be read"):
            source.read(Window(row=700, col=700, height=9, width=9))
        settled()
