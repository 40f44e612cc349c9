"""Peak memory of a run on slides of several sizes, at any µm per px.

    python benchmarks/slides.py OUT [--side 100000] [--mpp 2.0]
    python benchmarks/slides.py OUT --tissue [--side 50000] [--mpp 0.5]

A slide has JPEG tiles of 256 px, level 0 at 0.25 µm per px and a level of a quarter; all tiles are copies of a few, and
one in four was never scanned. The network looks at each pixel by itself, so that the time is that of reading. Prints
Markdown.

With `--tissue`, the middle quarter of the largest slide is tissue and all else is glass, which has a third level of a
sixteenth too, and a run on all of it is compared with one on its tissue.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


app = typer.Typer()


@app.command()
def main(
    out: Path,
    side: Annotated[int, typer.Option(help="Rows and columns of level 0 of the largest slide, px.")] = 100_000,
    mpp: Annotated[float, typer.Option(help="What the network sees, µm per px.")] = 2.0,
    memory: Annotated[str, typer.Option(help="execution.memory of each run.")] = "auto",
    tissue: Annotated[bool, typer.Option("--tissue", help="All of a slide beside its tissue alone.")] = False,
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    torch.jit.script(torch.nn.Conv2d(3, 2, 1).eval()).save(str(out / "net.pt"))
    head = "mask, px | peak memory, MiB | s | CPU s"
    if tissue:
        slide = write(out / f"{side}-tissue.svs", side, (1, 4, 16), middle)
        print(f"| inferred | {head} |\n|---|---|---|---|---|")
        for name, keys in (("all", {}), ("tissue", {"only": "tissue"})):
            print(f"| {name} | {measured(out, slide, mpp, memory, **keys)} |", flush=True)
        return
    print(f"| level 0, px | {head} |\n|---|---|---|---|---|")
    for length in (side // 4, side):
        slide = write(out / f"{length}.svs", length)
        print(f"| {length:,}² | {measured(out, slide, mpp, memory)} |", flush=True)


Tiles = Callable[[int], Iterator[bytes]]
"""Encoded tiles of so many rows and columns of them."""


def mixed(across: int) -> Iterator[bytes]:
    """Coloured tiles by turns; nothing of one in four, as if they were never scanned."""
    coloured = encoded(np.random.default_rng(0).integers(0, 256, (KINDS, 8, 8, 3), dtype=np.uint8))
    for k in range(across**2):
        yield b"" if k % 4 == 3 else coloured[k % KINDS]


def middle(across: int) -> Iterator[bytes]:
    """Colours of tissue in the middle quarter, and glass around it."""
    rng, stains = np.random.default_rng(0), np.array([(226, 160, 196), (98, 72, 150)], np.uint8)
    tissue = encoded(stains[rng.integers(0, 2, (KINDS, 8, 8))])
    glass = encoded(np.array([243, 241, 244], np.uint8) + rng.integers(0, 4, (KINDS, 8, 8, 3), dtype=np.uint8))
    for row in range(across):
        for col in range(across):
            inside = all(across / 4 <= place + 0.5 < 3 * across / 4 for place in (row, col))
            yield (tissue if inside else glass)[(row + col) % KINDS]


def encoded(shades: np.ndarray) -> list[bytes]:
    """Tiles of squares of some px."""
    large = shades.repeat(TILE // 8, 1).repeat(TILE // 8, 2)
    return [imagecodecs.jpeg_encode(tile, level=80, colorspace="RGB", outcolorspace="RGB") for tile in large]


def write(path: Path, side: int, steps: tuple[int, ...] = (1, 4), tiles: Tiles = mixed) -> Path:
    """A slide of repeated tiles, as Aperio's are described."""
    if path.exists():
        return path
    text = f"Aperio Image Library v12\r\n{side}x{side}|AppMag = 40|MPP = 0.25"
    options = {"dtype": "uint8", "tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for step in steps:
            length = side // step
            file.write(tiles(-(-length // TILE)), shape=(length, length, 3), description=text, **options)
    return path


def measured(out: Path, slide: Path, mpp: float, memory: str, **keys: str) -> str:
    """Columns of the table, by the report of a run."""
    job = {
        "source": {"kind": "slide", "path": str(slide), "mpp": mpp, **keys},
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
    process.returncode = os.waitstatus_to_exitcode(status)  # it is no longer there to be asked
    seconds = time.monotonic() - began
    if status:
        raise typer.Exit(1)
    side = zarr.open_array(out / f"{slide.stem}.zarr" / "0" / "mask", mode="r").shape[0]
    return f"{side:,}² | {used.ru_maxrss / 1024:,.0f} | {seconds:.0f} | {used.ru_utime + used.ru_stime:.0f}"


if __name__ == "__main__":
    app()
