"""CPU seconds of many small images in one process, beyond the network's arithmetic.

    python -m benchmarks.small_jobs CONFIG [--images 8] [--side 512]

Cuts images out of the raster of a config, into files of their own, and runs a job on each with `pipeline.run`, one
after the other. The arithmetic is the least that one forward pass over an image takes in the same process.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import rasterio
import torch
import typer
from rasterio.windows import Window

import pipeline
from pipeline.config.load import config_of
from pipeline.planning.prepare import prepare_job
from pipeline.runtime.device import fixed_numerics

FORWARDS = 5


def main(
    config: Path,
    images: Annotated[int, typer.Option(help="Of which the first is not counted.")] = 8,
    side: Annotated[int, typer.Option(help="Of each, px.")] = 512,
) -> None:
    """Print one line."""
    given = config_of(config)
    with tempfile.TemporaryDirectory(dir=config.parent) as folder:
        paths = cut(Path(str(given.source.path)), Path(folder), images, side)
        jobs = [
            given.model_copy(
                update={
                    "source": given.source.model_copy(update={"path": str(path)}),
                    "output": given.output.model_copy(update={"path": path.with_suffix(".zarr")}),
                }
            )
            for path in paths
        ]
        times = [cpu_seconds(partial(pipeline.run, job, quiet=True)) for job in jobs]
        network, threads = prepare_job(jobs[-1]).network, torch.get_num_threads()
        arithmetic = forward(network, side, threads)
    rest = statistics.median(times[1:])
    print(
        f"first {times[0]:.2f} CPU s; each further image {rest:.2f}, of which the network {arithmetic:.2f} "
        f"and all else {rest - arithmetic:.2f}"
    )


def cut(raster: Path, folder: Path, images: int, side: int) -> list[Path]:
    """Files of windows of a raster, row by row."""
    paths = []
    with rasterio.open(raster) as source:
        across = source.width // side
        for k in range(images):
            window = Window(k % across * side, k // across * side, side, side)
            profile = {**source.profile, "width": side, "height": side, "transform": source.window_transform(window)}
            paths.append(folder / f"image{k}.tif")
            with rasterio.open(paths[-1], "w", **profile) as out:
                out.write(source.read(window=window))
    return paths


def forward(network: Any, side: int, threads: int) -> float:
    """The least CPU seconds of one image through a network."""
    device = torch.device("cpu")
    image = torch.rand((1, network.bands, side, side)).contiguous(memory_format=torch.channels_last)
    with fixed_numerics("float32", threads, device):
        return min(cpu_seconds(lambda: network(image)) for _ in range(FORWARDS))


def cpu_seconds(work: Callable[[], object]) -> float:
    """User and system time of this process while it does something, s."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
