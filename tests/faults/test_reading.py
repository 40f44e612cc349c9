"""Reads that fail, for a while or for good, and reads that hang, over HTTP.

What cannot be read is named and left nodata, and never a class.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.store.status import status
from tests.faults import harness
from tests.faults.server import Faulty, faulty

pytestmark = pytest.mark.slow
ONCE = {"GDAL_HTTP_MAX_RETRY": "0"}
"""GDAL tries once, so that what is tried again is tried by us."""


@pytest.fixture
def server(calm: harness.Calm, tmp_path: Path) -> Iterator[Faulty]:
    with faulty(calm.raster, tmp_path / "server") as made:
        yield made


def held(path: Path, **environment: str) -> harness.Run:
    """A run that has opened its raster and committed a block."""
    started = harness.start(path, "commit", 1, **environment)
    started.reached()
    return started


@pytest.mark.nightly("kills")
def test_reads_that_fail_twice_are_tried_again_and_nothing_is_lost(
    calm: harness.Calm, tmp_path: Path, server: Faulty
) -> None:
    """GDAL asks up to six times, in several ways, before it calls a read failed."""
    path = harness.config(tmp_path, server.url, execution={"retries": 6})
    started = held(path, **ONCE)
    server.now("fail")
    started.go()
    started.process.wait_for(lambda: server.failed >= 12)
    server.now("ok")
    ended = started.ended()
    assert ended.code == 0, ended.err
    assert server.failed >= 12
    calm.same(tmp_path)


def test_reads_that_always_fail_are_named_and_left_nodata_and_only_they_are_tried_again(
    calm: harness.Calm, tmp_path: Path, server: Faulty
) -> None:
    path = harness.config(tmp_path, server.url, execution={"retries": 0})
    started = held(path, **ONCE)
    server.now("fail")
    started.go()
    ended = started.ended()
    assert ended.code == 1, ended.err
    ended.told("blocks failed and are left as nodata", "cannot be read", "Run the same command again")
    failed = [tuple(map(int, key.split(","))) for key in status(tmp_path / "job.zarr").failures]
    mask = np.asarray(zarr.open_array(tmp_path / "job.zarr" / "0" / "mask", mode="r")[:])
    assert 0 < len(failed) < 12
    assert all((mask[row * 128 : row * 128 + 128, col * 128 : col * 128 + 128] == 255).all() for row, col in failed)
    server.now("ok")
    report = harness.again(path)
    assert (report.done, report.complete) == (len(failed), True)
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
def test_reads_that_hang_fail_their_blocks_once_their_time_is_over(
    calm: harness.Calm, tmp_path: Path, server: Faulty
) -> None:
    path = harness.config(tmp_path, server.url, execution={"retries": 0})
    started = held(path, **ONCE, GDAL_HTTP_TIMEOUT="1")
    server.now("hang")
    started.go()
    started.process.wait_for(lambda: list((tmp_path / "job.zarr").rglob("*.failed")))
    server.now("ok")
    ended = started.ended()
    assert ended.code == 1, ended.err
    ended.told("blocks failed and are left as nodata", "cannot be read")
    assert 0 < harness.again(path).done < 10
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 75)])
def test_a_run_that_is_ended_while_a_read_hangs_goes_on_to_the_same_bytes(
    calm: harness.Calm, tmp_path: Path, server: Faulty, sent: signal.Signals, code: int
) -> None:
    path = harness.config(tmp_path, server.url, execution={"engine": "threads", "workers": 2})
    started = held(path)
    server.now("hang")
    started.go()
    started.until(server.hangs)
    started.send(sent)
    ended = started.ended()
    assert ended.code == code, ended.err
    if sent == signal.SIGTERM:
        ended.told("Stopped by SIGTERM")
    server.now("ok")
    assert harness.again(path).complete
    calm.same(tmp_path)
