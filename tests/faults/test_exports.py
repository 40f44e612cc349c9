"""A run or an export that is killed while it writes a file for other programs: the file is whole, or absent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.exports import export
from pipeline.exports.task import ExportRequest, ExportTask
from pipeline.store.lifecycle import open_layer
from tests.exports.test_pictures import META, task
from tests.faults import harness
from tests.store import specs

pytestmark = pytest.mark.slow


def assert_whole(file: Path, store: Path) -> None:
    with rasterio.open(file) as raster:
        assert (raster.read(1) == np.asarray(open_layer(store, 0, "mask")[:])).all()


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize("moment", ["export", "sidecar", "names"])
def test_a_run_that_is_killed_while_it_exports_leaves_no_part_of_a_file(
    calm: harness.Calm, tmp_path: Path, moment: str
) -> None:
    path, file = harness.config(tmp_path, calm.raster), tmp_path / "job.mask.tif"
    started = harness.start(path, moment, 0)
    started.reached()
    started.send(signal.SIGKILL)
    assert started.ended().code == -9
    assert file.exists() == (moment == "sidecar")
    for partial in tmp_path.glob("*.partial"):
        os.utime(partial, (1_000_000_000, 1_000_000_000))
    assert harness.again(path).files["cog"] == str(file)
    assert_whole(file, tmp_path / "job.zarr")
    assert [*tmp_path.glob("*.partial")] == []
    assert (tmp_path / "job.mask.tif.aux.xml").exists()
    calm.same(tmp_path)


def test_partials_of_a_file_elsewhere_are_swept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "out" / "mask.tif"
    elsewhere.parent.mkdir()
    partial = elsewhere.with_name(f"mask.tif.{'0' * 32}.partial")
    partial.touch()
    os.utime(partial, (1_000_000_000, 1_000_000_000))
    store = task(tmp_path, specs.spec(), "cog").store
    export(ExportTask(store, specs.spec(), META, ExportRequest(to="cog", out=elsewhere)))
    names = sorted(path.name for path in elsewhere.parent.iterdir())
    assert names == ["mask.qml", "mask.tif", "mask.tif.aux.xml"]
