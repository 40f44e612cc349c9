"""The clock jumps: by days, forward and back, in mid-run, and for one of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import harness

SHIMS = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), *Path("/usr/lib/faketime").glob("libfaketime.so.1")]
pytestmark = [pytest.mark.nightly("clocks"), pytest.mark.skipif(not SHIMS, reason="libfaketime is not installed")]


def clock(folder: Path, jump: str) -> dict[str, str]:
    """A clock that is set by a file, and jumps as soon as that is written anew.

    What is measured by a steady clock goes on.
    """
    (folder / "clock").write_text(jump)
    said = {"LD_PRELOAD": str(SHIMS[0]), "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_NO_CACHE": "1"}
    return {**said, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}  # the disk has a clock of its own


@pytest.mark.parametrize(("at", "after", "jump"), [("write", 21, "+30d"), ("overviews", 0, "-30d")])
def test_a_clock_that_jumps_in_mid_run_changes_nothing(
    calm: harness.Calm, tmp_path: Path, at: str, after: int, jump: str
) -> None:
    path = harness.config(tmp_path, calm.raster)
    started = harness.start(path, at, after, **clock(tmp_path, "+0"))
    started.reached()
    (tmp_path / "clock").write_text(jump)
    started.go()
    ended = started.ended()
    assert ended.code == 0, ended.err
    calm.same(tmp_path)


def test_a_run_whose_clock_is_ahead_takes_nothing_from_one_that_is_at_work(calm: harness.Calm, tmp_path: Path) -> None:
    """What the other has begun is young by the clock of the disk, however old it seems."""
    path = harness.config(tmp_path, calm.raster)
    first = harness.start(path, "write", 13, "--shard", "1/2")
    first.reached()
    second = harness.run(path, "--shard", "2/2", **clock(tmp_path, "+2d"))
    assert second.code == 0, second.err
    first.go()
    ended = first.ended()
    assert ended.code == 0, ended.err
    assert harness.again(path).resumed == 12
    calm.same(tmp_path)
