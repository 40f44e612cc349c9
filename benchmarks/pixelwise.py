"""What a network of single pixels adds to reading and writing, in one process, in turns.

    python -m benchmarks.pixelwise CONFIG [--rounds 5]

Each round runs all blocks of the job with its network, and then the same blocks with the answers of the first round in
its place: read, checked, written and committed as ever. Overviews, pictures and exports are in neither. Prints the
median wall and CPU seconds, and the rate with the network as a part of the rate without.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import typer

from pipeline.runtime.allocator import reexec_with_malloc_settings

Masks = dict[tuple[int, int], dict[str, npt.NDArray[Any]]]
Times = tuple[float, float]


class Replay:
    """Stands for a network: returns the layers that were made before."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    def upload(self, block: Any) -> Any:
        """The block."""
        return block

    def enqueue(self, block: Any, layout: Any) -> Any:
        """The block."""
        return block

    def collect(self, block: Any) -> tuple[dict[str, npt.NDArray[Any]], int]:
        """Its layers, in memory of their own as a network's are."""
        made = self._masks[(block.index.row, block.index.col)]
        return {name: values.copy() for name, values in made.items()}, 0


def main(config: Path, rounds: Annotated[int, typer.Option(help="Of both ways.")] = 5) -> None:
    """Print a table."""
    reexec_with_malloc_settings()
    masks: Masks = {}
    times: dict[str, list[Times]] = {"with the network": [], "reading and writing alone": []}
    with tempfile.TemporaryDirectory(dir=config.parent) as folder:
        for turn in range(rounds + 1):
            for name, replayed in zip(times, (False, True), strict=True):
                spent = measure(config, Path(folder) / "scene.zarr", masks if replayed else None)
                if turn:  # the first round lays out memory and fills the page cache
                    times[name].append(spent)
                if not masks:
                    masks |= layers_of(config, Path(folder) / "scene.zarr")
    print("| blocks | wall, s | CPU, s |\n| --- | --- | --- |")
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    for name, (wall, cpu) in medians.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    (wall, cpu), (least_wall, least_cpu) = medians.values()
    print(f"rate with the network, of that without: wall {least_wall / wall:.2f}, CPU {least_cpu / cpu:.2f}")


def measure(config: Path, store: Path, masks: Masks | None) -> Times:
    """Wall and CPU seconds of all blocks of a job."""
    from pipeline.engines import KINDS
    from pipeline.running import engine_options
    from pipeline.running.blocks import run_blocks
    from pipeline.running.hold_store import hold_store
    from pipeline.runtime.progress import Progress
    from pipeline.runtime.timed_engine import TimedEngine

    shutil.rmtree(store, ignore_errors=True)
    job = job_of(config, store)
    with Progress(quiet=True) as progress, hold_store(job, progress.say, False, None) as job, replayed(masks):
        engine = KINDS[job.config.execution.engine](job.plan.workers, engine_options.engine_options(job, progress.say))
        with engine as running:
            wall, cpu = time.perf_counter(), time.process_time()
            report = run_blocks(job, progress, TimedEngine(running, None), None)
            spent = time.perf_counter() - wall, time.process_time() - cpu
    assert not report.failures, report.failures
    return spent


def job_of(config: Path, store: Path) -> Any:
    """The job of a config, into another store."""
    from pipeline.config.load import config_of
    from pipeline.planning.prepare import prepare_job

    given = config_of(config)
    return prepare_job(given.model_copy(update={"output": given.output.model_copy(update={"path": store})}))


@contextmanager
def replayed(masks: Masks | None) -> Iterator[None]:
    """While the network is left out, where there are layers to stand for its answers."""
    from pipeline.inference import block_task

    if masks is None:
        yield
        return
    with patch.object(block_task, "_inference", lambda *_: Replay(masks)):
        yield


def layers_of(config: Path, store: Path) -> Masks:
    """All layers of a store, by block."""
    from pipeline.store.lifecycle import open_layer

    job = job_of(config, store)
    arrays = {name: np.asarray(open_layer(store, 0, name)[:]) for name in job.task.recipe.layers}
    return {
        (index.row, index.col): {
            name: values[(..., *job.task.layout.window(index).slices)] for name, values in arrays.items()
        }
        for index in replace(job.task, area=None).blocks()
    }


if __name__ == "__main__":
    typer.run(main)
