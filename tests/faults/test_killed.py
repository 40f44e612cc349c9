"""A run that is killed, or asked to stop, at any moment.

What is committed is kept, and the next run comes to the same bytes.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.store.ledger import Ledger
from tests.faults import harness

pytestmark = pytest.mark.slow

MOMENTS = [("creation", 0), ("inference", 20), ("write", 21), ("commit", 5), ("overviews", 0), ("finishing", 0)]
NIGHTLY = pytest.mark.nightly("kills")
SIGNALS = [(signal.SIGKILL, -9), (signal.SIGTERM, 75)]
BY_DAY = {(signal.SIGKILL, "commit"), (signal.SIGKILL, "finishing"), (signal.SIGTERM, "write")}
ENDS = [
    pytest.param(*moment, sent, code, marks=() if (sent, moment[0]) in BY_DAY else NIGHTLY)
    for sent, code in SIGNALS
    for moment in MOMENTS
]
"""Killed among the blocks and after them by day, and asked to stop once; at every other moment by night."""


@pytest.mark.parametrize(("at", "after", "sent", "code"), ENDS)
def test_a_run_that_is_ended_at_any_moment_goes_on_to_the_same_bytes(
    calm: harness.Calm, tmp_path: Path, at: str, after: int, sent: signal.Signals, code: int
) -> None:
    path = harness.config(tmp_path, calm.raster)
    started = harness.start(path, at, after)
    started.reached()
    there = Ledger(tmp_path / "job.zarr").count()
    started.send(sent)
    ended = started.ended()
    assert ended.code == code, ended.err
    if sent == signal.SIGTERM:
        ended.told("Stopped by SIGTERM", "run the same command again")
    report = harness.again(path)
    assert (report.resumed, report.done) == (there, 12 - there)
    assert there == {"creation": 0, "overviews": 12, "finishing": 12}.get(at, there)
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_blocks_that_were_under_way_in_threads_are_lost_and_no_others(
    calm: harness.Calm, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    path = harness.config(tmp_path, calm.raster, execution={"engine": "threads", "workers": 3})
    started = harness.start(path, "commit", 4)
    started.reached()
    started.send(sent)
    ended = started.ended()
    assert ended.code == code, ended.err
    there = Ledger(tmp_path / "job.zarr").count()
    assert there >= 4
    assert harness.again(path).resumed == there
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
def test_a_run_that_is_killed_again_and_again_loses_only_what_was_under_way(calm: harness.Calm, tmp_path: Path) -> None:
    path, there = harness.config(tmp_path, calm.raster), []
    for after in (2, 3, 1):
        started = harness.start(path, "commit", after)
        started.reached()
        started.send(signal.SIGKILL)
        assert started.ended().code == -9
        there.append(Ledger(tmp_path / "job.zarr").count())
    assert there == [2, 5, 6]
    ended = harness.run(path)
    assert ended.code == 0, ended.err
    assert "6 of 12 blocks are committed already" in ended.err
    calm.same(tmp_path)
