"""Frames of neighbours out of units that are decoded once.

The same pixels, whatever the file, the order and the faults.
"""

from __future__ import annotations

import pickle
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.shutil import copy

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, ReadHangs
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.read_sharing import plan_read_sharing
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.inference.read import pixel_checksum
from pipeline.interfaces import Pixels, Source
from pipeline.sources import open_source
from pipeline.sources.raster import RasterSource
from pipeline.sources.wrappers.shared_reads import SharedReads, share_reads
from tests import scenes

ROOM = 2**30


def opened(path: Path, **said: Any) -> Source:
    return open_source(SourceConfig(path=str(path), **said))


def layout(height: int, width: int, block: int = 96, halo: int = 24, swaths: int = 1) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=8, halo=halo, core=96) for n in (height, width))
    return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols, swaths=swaths)


def shared(source: Source, how: BlockGrid, room: int = ROOM, workers: int = 4) -> tuple[SharedReads, BlockGrid]:
    made = plan_read_sharing(how, source.block, source.bands * source.dtype.itemsize + 1, room, workers)
    found = share_reads(source, how.with_swaths(made.swaths), made)
    assert isinstance(found, SharedReads)
    return found, found.layout


def amplification(source: Source, how: BlockGrid, threads: int = 1) -> float:
    """Of all blocks, so many in flight; none runs further ahead, however the threads are served."""
    frames = [how.read_window(index) for index in how.blocks()]
    read = [threading.Event() for _ in frames]

    def go(i: int) -> int:
        for event in read[: max(i - threads + 1, 0)]:
            event.wait()
        try:
            return source.read(frames[i]).decoded
        finally:
            read[i].set()

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(go, range(len(frames)))) / (how.height * how.width)


def tiled(path: Path, height: int, width: int, side: int = 64, **said: Any) -> Path:
    return scenes.write(
        path, scenes.position(height, width), tiled=True, blockxsize=side, blockysize=side, compress="deflate", **said
    )


def alpha(path: Path, height: int, width: int) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=4,
        height=height,
        width=width,
        dtype="uint8",
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as out:
        out.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        out.write(
            np.concatenate(
                [scenes.position(height, width).astype("uint8"), scenes.position(height, width)[2:].astype("uint8") & 1]
            )
        )
    return path


def mosaic(path: Path, height: int, width: int) -> Path:
    whole = scenes.write(path.with_name("whole.tif"), scenes.position(height, width), nodata=5)
    copy(whole, path, driver="VRT")
    return path


def holes(path: Path, height: int, width: int) -> Path:
    data = scenes.position(height, width)
    return scenes.write(
        path, np.where(data % 50 == 3, np.nan, data).astype("float32"), tiled=True, blockxsize=32, blockysize=32
    )


FILES: dict[str, Any] = {
    "tiles": tiled,
    "strips of one row": lambda path, height, width: scenes.write(path, scenes.position(height, width), blockysize=1),
    "compressed strips": lambda path, height, width: scenes.write(
        path, scenes.position(height, width), blockysize=16, compress="lzw", nodata=7
    ),
    "band by band": lambda path, height, width: tiled(path, height, width, interleave="band"),
    "floats with holes": holes,
    "alpha": alpha,
    "VRT": lambda path, height, width: mosaic(path.with_suffix(".vrt"), height, width),
    "PNG": lambda path, height, width: scenes.write(
        path.with_suffix(".png"), scenes.position(height, width).astype("uint8"), driver="PNG"
    ),
}


@pytest.mark.nightly("jobs", after=8)
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("threads", [1, 5])
def test_every_frame_is_what_the_source_gives(tmp_path: Path, kind: str, threads: int) -> None:
    path = FILES[kind](tmp_path / "a.tif", 470, 610)
    source, how = shared(opened(path), layout(470, 610))
    plain, frames = opened(path), [how.read_window(index) for index in how.blocks()]
    assert any(frame.clip(470, 610) != frame for frame in frames)
    with ThreadPoolExecutor(threads) as pool:
        for frame, got in zip(frames, pool.map(source.read, frames), strict=True):
            assert got.data.dtype == plain.dtype
            assert pixel_checksum(got) == pixel_checksum(plain.read(frame))
    assert source._cache.size == 0


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=3)
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("kind", ["tiles", "compressed strips", "strips of one row", "VRT"])
def test_what_is_decoded_is_what_the_plan_promises(tmp_path: Path, kind: str, threads: int) -> None:
    path = FILES[kind](tmp_path / "a.tif", 900, 1100)
    plain, how = opened(path), layout(900, 1100)
    source, ordered = shared(plain, how)
    assert amplification(source, ordered, threads) == pytest.approx(source.sharing.amplification, rel=0.02)
    assert source.sharing.amplification <= 1.1 < amplification(plain, how, threads)


@pytest.mark.slow
def test_in_narrow_swaths_hardly_more_is_decoded_than_promised_and_no_more_held(tmp_path: Path) -> None:
    plain = opened(tiled(tmp_path / "a.tif", 1000, 2000))
    every = plan_read_sharing(layout(1000, 2000), plain.block, 7, ROOM, 3).cached_bytes
    for room in (every * 2 // 3, every // 2):
        source, ordered = shared(plain, layout(1000, 2000), room, workers=3)
        assert ordered.swaths > 1
        most = 0
        for index in ordered.blocks():
            source.read(ordered.read_window(index))
            most = max(most, source._cache.size)
        assert 0 < most <= source.sharing.cached_bytes <= room
        again, _ = shared(plain, layout(1000, 2000), room, workers=3)
        assert amplification(again, ordered, 3) == pytest.approx(again.sharing.amplification, rel=0.05)


@pytest.mark.slow
def test_no_unit_is_decoded_twice_by_threads_that_want_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, how = shared(opened(tiled(tmp_path / "a.tif", 500, 500)), layout(500, 500))
    frame, barrier, real = how.read_window(next(iter(how.blocks()))), threading.Barrier(6), RasterSource.read

    def slow(self: RasterSource, window: Window) -> Pixels:
        time.sleep(0.3)  # the other threads ask meanwhile; one that comes when all is over decodes again, as it must
        return real(self, window)

    monkeypatch.setattr(RasterSource, "read", slow)

    def go(_: int) -> Pixels:
        barrier.wait()
        return source.read(frame)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(go, range(6)))
    alone, _ = shared(opened(tmp_path / "a.tif"), layout(500, 500))
    assert sum(one.decoded for one in found) == alone.read(frame).decoded
    assert len({pixel_checksum(one) for one in found}) == 1


def test_blocks_that_are_left_out_or_come_in_any_order_change_no_pixel_and_the_room_is_kept(tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.tif", 700, 900)
    everything, _ = shared(opened(path), layout(700, 900))
    source, how = shared(opened(path), layout(700, 900), room=everything.sharing.cached_bytes - 1)
    frames = [how.read_window(index) for index in how.blocks()] * 2
    random.Random(0).shuffle(frames)
    plain = opened(path)
    for frame in frames[::3] + frames[1::3]:
        assert pixel_checksum(source.read(frame)) == pixel_checksum(plain.read(frame))
        assert source._cache.size <= source.sharing.cached_bytes


def test_what_is_held_keeps_no_more_alive_than_it_counts(tmp_path: Path) -> None:
    source, how = shared(opened(tiled(tmp_path / "a.tif", 700, 900)), layout(700, 900))
    source.read(how.read_window(next(iter(how.blocks()))))
    held = [wanted.pixels for wanted in source._cache._units.values() if wanted.pixels]
    assert len(held) > 0
    assert all(pixels.data.base is None and pixels.valid.base is None for pixels in held)
    assert source._cache.size == sum(pixels.data.nbytes + pixels.valid.nbytes for pixels in held)


class Faulty:
    """A source that cannot read what touches a window."""

    def __init__(self, source: Source, bad: Window) -> None:
        self.source, self.bad, self.lasting, self.asked = source, bad, True, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, window: Window) -> Pixels:
        self.asked += 1
        if self.lasting and window.intersect(self.bad).pixels:
            raise ReadError(f"cannot be read at {window}")
        return self.source.read(window)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_fault_fails_the_frames_that_hold_it_by_name_and_no_other(tmp_path: Path, threads: int) -> None:
    path, bad = tiled(tmp_path / "a.tif", 600, 600), Window(row=200, col=210, height=1, width=1)
    faulty = Faulty(opened(path), bad)
    how = layout(600, 600)
    source = SharedReads(source=faulty, layout=how, sharing=plan_read_sharing(how, (64, 64), 7, ROOM, 4))  # type: ignore[arg-type]

    def go(frame: Window) -> str:
        try:
            return pixel_checksum(source.read(frame))
        except ReadError as error:
            return str(error)

    frames, plain = [how.read_window(index) for index in how.blocks()], opened(path)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(go, frames))
    expected = [
        f"cannot be read at {frame}" if frame.intersect(bad).pixels else pixel_checksum(plain.read(frame))
        for frame in frames
    ]
    assert found == expected
    assert 1 < sum("cannot" in said for said in found) < len(frames)
    faulty.lasting = False
    assert pixel_checksum(source.read(frames[0])) == pixel_checksum(plain.read(frames[0]))
    assert not source._cache._pending


def test_it_pickles_as_a_spec_and_a_process_has_one(tmp_path: Path) -> None:
    source, how = shared(opened(tiled(tmp_path / "a.tif", 500, 500)), layout(500, 500))
    assert len(pickle.dumps(source)) < 2000
    source.read(how.read_window(next(iter(how.blocks()))))
    assert pickle.loads(pickle.dumps(source)) is source
    assert source.identity() == source.source.identity()
    assert source.grid == source.source.grid


def test_blocks_that_share_nothing_are_read_by_the_source_itself(tmp_path: Path) -> None:
    plain, how = opened(tiled(tmp_path / "a.tif", 384, 384)), layout(384, 384, block=128, halo=0)
    assert share_reads(plain, how, plan_read_sharing(how, plain.block, 7, ROOM, 4)) is plain


def test_a_window_beyond_the_raster_is_invalid(tmp_path: Path) -> None:
    source, _ = shared(opened(tiled(tmp_path / "a.tif", 300, 300)), layout(300, 300))
    got = source.read(Window(row=-9, col=400, height=5, width=6))
    assert (got.decoded, got.valid.any(), got.data.shape) == (0, False, (3, 5, 6))


def test_a_read_that_hung_is_not_tried_by_itself_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, how = shared(opened(tiled(tmp_path / "a.tif", 300, 300)), layout(300, 300))
    asked: list[Window] = []

    def fails(self: Any, window: Window, error: type[ReadError]) -> Pixels:
        asked.append(window)
        raise error("away")

    frame = how.read_window(next(iter(how.blocks())))
    for error, calls in ((ReadError, 2), (ReadHangs, 1)):
        asked.clear()
        monkeypatch.setattr(type(source.source), "read", partialmethod(fails, error=error))
        with pytest.raises(error):
            source.read(frame)
        assert len(asked) == calls
