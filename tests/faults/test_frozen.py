"""Several runs on one store: at once, one frozen while another takes over, one revived late."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pipeline.store.ledger import Ledger
from tests.faults import harness

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives no sign of life is taken for dead after three seconds."""
    monkeypatch.setenv("WHOLECLOTH_LEASE_S", "3")


MOMENTS = [
    ("commit", 5),
    *(
        pytest.param(*moment, marks=pytest.mark.nightly("kills"))
        for moment in [("inference", 20), ("write", 21), ("finishing", 0)]
    ),
]


@pytest.mark.parametrize(("at", "after"), MOMENTS)
def test_a_run_that_is_frozen_and_revived_late_does_no_harm(
    calm: harness.Calm, tmp_path: Path, at: str, after: int
) -> None:
    path = harness.config(tmp_path, calm.raster)
    frozen = harness.start(path, at, after)
    frozen.reached()
    frozen.send(signal.SIGSTOP)
    try:
        assert harness.again(path).complete
        calm.same(tmp_path)
        frozen.go()
    finally:
        frozen.send(signal.SIGCONT)
    ended = frozen.ended()
    assert ended.code in (0, 75), ended.err
    calm.same(tmp_path)
    assert harness.again(path).done == 0


@pytest.mark.nightly("kills")
def test_a_run_whose_unfinished_files_were_swept_meanwhile_ends_with_75(calm: harness.Calm, tmp_path: Path) -> None:
    """So long that what it had begun was taken for debris."""
    path = harness.config(tmp_path, calm.raster)
    frozen = harness.start(path, "write", 21)
    frozen.reached()
    frozen.send(signal.SIGSTOP)
    try:
        long_ago = time.time() - 3600
        begun = list((tmp_path / "job.zarr" / "0").rglob("*.partial"))
        assert begun
        for file in begun:
            os.utime(file, (long_ago, long_ago))
        assert harness.again(path).complete
        assert not any(file.exists() for file in begun)
        frozen.go()
    finally:
        frozen.send(signal.SIGCONT)
    ended = frozen.ended()
    assert ended.code == 75, ended.err
    ended.told("job.zarr", "nother run")
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
def test_two_runs_that_start_together_make_one_store(calm: harness.Calm, tmp_path: Path) -> None:
    path = harness.config(tmp_path, calm.raster)
    both = [harness.start(path, "creation"), harness.start(path, "creation")]
    for one in both:
        one.reached()
    for one in both:
        one.go()
    codes = sorted(one.ended().code for one in both)
    assert codes in ([0, 0], [0, 75])
    assert harness.again(path).done == 0
    calm.same(tmp_path)


@pytest.mark.nightly("kills")
def test_a_run_beside_one_that_is_at_work_is_refused(calm: harness.Calm, tmp_path: Path) -> None:
    path = harness.config(tmp_path, calm.raster)
    first = harness.start(path, "commit", 5)
    first.reached()
    second = harness.run(path)
    first.go()
    assert (first.ended().code, second.code) == (0, 75)
    assert Ledger(tmp_path / "job.zarr").count() == 12
    harness.again(path)
    calm.same(tmp_path)
