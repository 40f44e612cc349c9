"""Real files of growing size through the public command."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
import yaml
from rasterio.windows import Window

from benchmarks.scaling import table

SCENE, BANDS, TILE = 4096, 4, 512


@dataclass(frozen=True, kw_only=True)
class Round:
    """Seconds of one run by its parts, and bytes."""

    plan: float
    """From the start of the command to its first block, imports included."""
    blocks: float
    outside: float
    """Thread time of a block that is neither read nor device nor write."""
    overviews: float
    finish: float
    """From the last overview to the end of the command."""
    whole: float
    peak: int
    projected: int


def measure(out: Path, sides: list[int], rounds: int) -> str:
    """Make what is missing, run, and say what was seen: medians."""
    network = _network(out / "pixelwise.ts")
    paths = {side: _raster(out / f"scene{side}.tif", side) for side in sides}
    seen: dict[int, list[Round]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, path in paths.items():
            seen[side].append(_run(out, path, network))
    speed = ["side", "Mpx/s of blocks", "of the command", "ns/px of blocks", "outside, ms per block"]
    return table(
        [*speed, "plan s", "blocks s", "overviews s", "finish s", "peak MiB", "projected"],
        (_row(side, found) for side, found in seen.items()),
    )


def _row(side: int, found: list[Round]) -> list[str]:
    middle = {name: statistics.median(getattr(one, name) for one in found) for name in Round.__dataclass_fields__}
    mpx = side * side / 1e6
    speeds = [
        f"{mpx / middle['blocks']:.1f}",
        f"{mpx / middle['whole']:.1f}",
        f"{middle['blocks'] * 1e3 / mpx:.1f}",
        f"{middle['outside'] * 1e3:.2f}",
    ]
    parts = [f"{middle[name]:.2f}" for name in ("plan", "blocks", "overviews", "finish")]
    return [str(side), *speeds, *parts, f"{middle['peak'] / 2**20:.0f}", f"{middle['projected'] / 2**20:.0f}"]


def _run(out: Path, raster: Path, network: Path) -> Round:
    config, store = out / "scale.yaml", out / "scale.zarr"
    classes = [{"name": f"class{k}", "color": f"#{60 * k:02x}8040"} for k in range(BANDS)]
    said = {
        "source": {"path": str(raster)},
        "model": {"kind": "torchscript", "path": str(network), "classes": classes},
        "output": {"path": str(store)},
    }
    config.write_text(yaml.safe_dump({**said, "execution": {"device": "cpu"}}))
    began, marks = time.time(), {"first": 0.0, "overviews": 0.0}
    command = [sys.executable, "-m", "pipeline", "run", str(config), "--fresh"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        said_last = ""
        for line in process.stderr:
            said_last = line
            marks["overviews" if line.startswith("overviews") else "first"] = (
                marks["first"] if marks["first"] and "overviews" not in line else time.time()
            )
    ended = time.time()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {said_last}")
    report = json.loads(store.with_suffix(".report.json").read_text())
    built = max(
        (path.stat().st_mtime for path in store.glob("[1-9]*/mask/ledger/*/*.json")), default=marks["overviews"]
    )
    threads = min(report["plan"]["blocks"]["in_flight"], report["blocks"]) * report["seconds"]
    worked = sum(report["waits"].get(stage, 0.0) for stage in ("read", "device", "write"))
    return Round(
        plan=marks["first"] - began,
        blocks=report["seconds"],
        outside=max(threads - worked, 0) / report["blocks"],
        overviews=max(built - (marks["overviews"] or built), 0),
        finish=ended - built,
        whole=ended - began,
        peak=report["peak_memory"],
        projected=report["projected_memory"],
    )


def _network(path: Path) -> Path:
    if not path.exists():
        torch.manual_seed(0)
        torch.jit.script(torch.nn.Conv2d(BANDS, BANDS, 1).eval()).save(str(path))
    return path


def _raster(path: Path, side: int) -> Path:
    """One seeded scene beside and below itself, each time rolled by another offset.

    Noise over steps, so that masks are not constant.
    """
    if path.exists():
        return path
    scene, partial = _scene(min(side, SCENE)), path.with_suffix(".partial.tif")
    options = {
        "driver": "GTiff",
        "dtype": "uint16",
        "count": BANDS,
        "height": side,
        "width": side,
        "crs": "EPSG:32633",
        "BIGTIFF": "IF_SAFER",
    }
    tiles = {
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "deflate",
        "predictor": 2,
        "num_threads": "all_cpus",
    }
    part = scene.shape[1]
    with rasterio.open(partial, "w", transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6), **options, **tiles) as file:
        for number, (row, col) in enumerate((row, col) for row in range(0, side, part) for col in range(0, side, part)):
            rolled = np.roll(scene, (37 * number, 91 * number), axis=(1, 2))
            file.write(
                rolled[:, : side - row, : side - col],
                window=Window(col, row, min(part, side - col), min(part, side - row)),
            )
    partial.replace(path)
    return path


def _scene(side: int) -> np.ndarray:
    made = np.random.default_rng(0)
    steps = (
        made.integers(500, 4000, (BANDS, side // 64, side // 64), dtype=np.uint16).repeat(64, axis=1).repeat(64, axis=2)
    )
    return steps + made.integers(0, 200, steps.shape, dtype=np.uint16)
