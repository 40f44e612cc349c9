"""Memory runs out: of the device, which halves its tiles, and of the process, which ends and can go on."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from tests.faults import harness
from tests.store import specs

pytestmark = pytest.mark.slow


def mask(folder: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(folder / "job.zarr" / "0" / "mask", mode="r")[:])


@pytest.mark.nightly("kills")
def test_a_device_without_memory_for_a_tile_takes_halves_and_says_so_in_the_ledger(
    calm: harness.Calm, tmp_path: Path
) -> None:
    path = harness.config(tmp_path, calm.raster)
    ended = harness.run(path, FAULT_LARGEST=str(60 * 60))
    assert ended.code == 0, ended.err
    halvings = {record.get("halvings", 0) for record in specs.records(tmp_path / "job.zarr").values()}
    assert max(halvings) == 1
    assert (mask(tmp_path) == mask(calm.raster.parent)).all()


@pytest.mark.nightly("kills")
def test_a_device_without_memory_for_any_tile_fails_blocks_and_a_rerun_on_another_does_them(
    calm: harness.Calm, tmp_path: Path
) -> None:
    path = harness.config(tmp_path, calm.raster)
    ended = harness.run(path, FAULT_LARGEST="0")
    assert ended.code == 1, ended.err
    ended.told("blocks failed", "out of memory", "Run the same command again")
    assert (mask(tmp_path) == 255).all()
    report = harness.again(path)
    assert (report.complete, report.done) == (True, 12)
    calm.same(tmp_path)


def test_a_process_that_gets_no_more_memory_ends_with_a_code_that_says_so(calm: harness.Calm, tmp_path: Path) -> None:
    path = harness.config(tmp_path, calm.raster)
    started = harness.start(path, "commit", 5)
    started.reached()
    held = psutil.Process(started.process.pid).memory_info().vms
    resource.prlimit(started.process.pid, resource.RLIMIT_AS, (held // 2, held // 2))
    started.go()
    ended = started.ended()
    assert ended.code in (0, 1, 75), ended.err
    ended.told()
    assert harness.again(path).complete
    calm.same(tmp_path)
