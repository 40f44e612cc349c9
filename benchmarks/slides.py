"""Peak memory of a run on slides of several sizes, at any µm per px.

    python benchmarks/slides.py OUT [--side 100000] [--mpp 2.0]

A slide has JPEG tiles of 256 px, level 0 at 0.25 µm per px and a level of a quarter; all tiles are copies of a few, and
one in four was never scanned. The network looks at each pixel by itself, so that the time is that of reading. Prints
Markdown.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import imagecodecs
import numpy as np
import tifffile
import torch
import typer
import yaml
import zarr

ROOT = Path(__file__).resolve().parents[1]
TILE = 256
KINDS = 8
"""Tiles that differ."""


def main(
    out: Path,
    side: Annotated[int, typer.Option(help="Rows and columns of level 0 of the largest slide, px.")] = 100_000,
    mpp: Annotated[float, typer.Option(help="What the network sees, µm per px.")] = 2.0,
    memory: Annotated[str, typer.Option(help="execution.memory of each run.")] = "auto",
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    torch.jit.script(torch.nn.Conv2d(3, 2, 1).eval()).save(str(out / "net.pt"))
    print("| level 0, px | mask, px | peak memory, MiB | s |\n|---|---|---|---|")
    for length in (side // 4, side):
        slide = write(out / f"{length}.svs", length)
        print(f"| {length:,}² | {measured(out, slide, mpp, memory)} |", flush=True)


def write(path: Path, side: int) -> Path:
    """A slide of repeated tiles, as Aperio's are described."""
    if path.exists():
        return path
    text = f"Aperio Image Library v12\r\n{side}x{side}|AppMag = 40|MPP = 0.25"
    options = {"dtype": "uint8", "tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for length in (side, side // 4):
            file.write(tiles((-(-length // TILE)) ** 2), shape=(length, length, 3), description=text, **options)
    return path


def tiles(count: int) -> Iterator[bytes]:
    """Encoded tiles, by turns; nothing of those that were never scanned."""
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 256, (KINDS, 8, 8, 3), dtype=np.uint8).repeat(TILE // 8, 1).repeat(TILE // 8, 2)
    encoded = [imagecodecs.jpeg_encode(shade, level=80, colorspace="RGB", outcolorspace="RGB") for shade in shades]
    for k in range(count):
        yield b"" if k % 4 == 3 else encoded[k % KINDS]


def measured(out: Path, slide: Path, mpp: float, memory: str) -> str:
    """Columns of the table, by the report of a run."""
    job = {
        "source": {"kind": "slide", "path": str(slide), "mpp": mpp},
        "model": {
            "kind": "torchscript",
            "path": str(out / "net.pt"),
            "input": {"scale": 1 / 255},
            "classes": [{"name": "a"}, {"name": "b"}],
        },
        "output": {"path": str(out / f"{slide.stem}.zarr"), "exports": [], "report": False, "picture": False},
        "execution": {"device": "cpu", "memory": memory},
    }
    (out / "job.yaml").write_text(yaml.safe_dump(job))
    command = [sys.executable, "-m", "pipeline", "run", str(out / "job.yaml"), "--fresh", "--quiet"]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise typer.Exit(1)
    side = zarr.open_array(out / f"{slide.stem}.zarr" / "0" / "mask", mode="r").shape[0]
    return f"{side:,}² | {used.ru_maxrss / 1024:,.0f} | {seconds:.0f}"


if __name__ == "__main__":
    typer.run(main)
