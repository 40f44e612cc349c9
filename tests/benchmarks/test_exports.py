"""The comparison of exports in its small form: stores as runs leave them, and processes within limits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from rasterio.features import shapes

from benchmarks.exporting import processes, stores
from pipeline.geometry.window import Window

ROOT = Path(__file__).resolve().parents[2]


def test_pixels_are_the_same_wherever_windows_are_cut() -> None:
    whole = stores.made_up(Window(row=900, col=40, height=300, width=200))
    part = stores.made_up(Window(row=1000, col=100, height=64, width=50))
    for large, small in zip(whole, part, strict=True):
        assert (large[100:164, 60:110] == small).all()
    assert set(np.unique(whole[0])) <= {row.code for row in stores.CLASSES} | {stores.NODATA}
    assert sum(1 for _ in shapes(whole[0])) > 10


def test_a_process_is_measured_and_ended_at_its_limits() -> None:
    code = "import time; data = bytearray(200 * 2**20); time.sleep(0.3); print(1)"
    whole = processes.run([sys.executable, "-c", code], 2**40, 60)
    assert not whole.fault
    assert 200 * 2**20 < whole.peak < 300 * 2**20
    assert processes.run([sys.executable, "-c", f"{code}; time.sleep(60)"], 2**27, 60).fault == "over 0.125 GiB"
    assert processes.run([sys.executable, "-c", "import time; time.sleep(60)"], 2**40, 0.2).fault == "over 0.2 s"
    assert processes.run([sys.executable, "-c", "raise ValueError(5)"], 2**40, 60).fault == "failed: ValueError: 5"


@pytest.mark.nightly("scale")
def test_the_benchmark_of_exports_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.exports", str(tmp_path), "--small"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for row in ("| --to cog |", "| --to qupath |", "| rasterio.features.shapes", "| gdal_polygonize.py", "| finish |"):
        assert row in done.stdout
    assert "failed" not in done.stdout
    mask = np.asarray(zarr.open_array(tmp_path / "1024.zarr" / "0" / "mask", mode="r")[:])
    count = sum(1 for _ in shapes(mask, mask != stores.NODATA))
    assert done.stdout.count(f"| {count:,} |") >= 6
