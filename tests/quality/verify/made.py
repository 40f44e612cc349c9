"""Stores on small scenes, and ways to spoil them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.config.load import load_config
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window
from pipeline.planning.job import Job
from pipeline.quality.verify.certificate import Certificate
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.store.ledger import Ledger, commit_block
from tests import networks, scenes

LAYERS = {"layers": ["mask", "confidence"]}


def store(folder: Path, name: str = "job", **sections: dict[str, Any]) -> Path:
    """Run a job and return its store."""
    job = prepare_job(load_config(scenes.config(folder, name, **{"output": LAYERS, **sections})))
    with Progress() as progress:
        execute(job, progress)
    return job.path


def blended(folder: Path) -> dict[str, Any]:
    """Sections of a network with instance norm."""
    path = scenes.script(networks.lively(networks.InstanceNormed()), folder / "norm.pt")
    return {"model": {"path": str(path), "input": {"mean": 500, "std": 200, "size": 96}}}


def looked(path: Path, windows: int = 12, seed: int = 0, tolerance: float | None = None) -> Certificate:
    return verify(job_of(path, []), lambda line: None, windows=windows, seed=seed, tolerance=tolerance)


def spoil(path: Path, block: tuple[int, int], change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the layers of a block, and record them as if they had been written so."""
    job = job_of(path, [])
    window, record = job.task.layout.window(BlockIndex(*block)), Ledger(path).record(block)
    assert record is not None
    for layer in job.spec.layers:
        array = zarr.open_array(path / "0" / layer, mode="r+", config={"write_empty_chunks": False})
        array[window.slices] = change(np.asarray(array[window.slices]))
    again(job, block, window, record)


def again(job: Job, block: tuple[int, int], window: Window, record: dict[str, Any]) -> None:
    """Commit a block as it is now."""
    commit_block(
        job.path, 0, block, window, job.spec.layers, {key: value for key, value in record.items() if key != "chunks"}
    )


def meta(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]["wholecloth"]
    return said
