"""What a pixel and a block cost as the raster grows.

Real files of 4096² to 32768², and a raster of 10⁶ × 10⁶ px in thought.

    python benchmarks/scale.py OUT [--sizes 4096,8192,16384,32768] [--rounds 3] [--blocks 100000] [--page docs/scale.md]
    [--small]

*Real*: tiled DEFLATE GeoTIFFs of four bands (kept in OUT: about 90 MB for 4096², 5.5 GB for 32768²) through a 1 × 1
convolution by the public command, sizes taking turns. *Thought*: the engines over the blocks of a raster that is not
there, with nothing to do for each; then as many commit records, really written but not made durable, and the same again
as a resume finds them. *Line*: blocks of made-up pixels, written and committed as a run does. Prints Markdown, and puts
it between the markers of a page.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import psutil
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.scaling import line, real, thought

MARKS = "<!-- measured -->", "<!-- /measured -->"


def main(
    out: Path,
    sizes: Annotated[str, typer.Option(help="Sides of the rasters, px, multiples of 512.")] = "4096,8192,16384,32768",
    rounds: int = 3,
    blocks: Annotated[int, typer.Option(help="Of the raster in thought that are gone through.")] = 100_000,
    page: Annotated[Path | None, typer.Option(help="Put the tables between its markers.")] = None,
    small: Annotated[bool, typer.Option("--small", help="See that it works; the figures say nothing.")] = False,
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    sides, rounds, blocks = (
        ([512, 1024], 1, 2000) if small else ([int(side) for side in sizes.split(",")], rounds, blocks)
    )
    tables = [
        real.measure(out, sides, rounds),
        thought.engines(blocks),
        thought.ledger(out, blocks),
        line.measure(out, 2 if small else 8, rounds),
    ]
    text = "\n\n".join([_where(), *tables])
    print(text)
    if page is not None:
        before, _, rest = page.read_text().partition(MARKS[0])
        page.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


def _where() -> str:
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    cores = len(psutil.Process().cpu_affinity() or [])
    machine = f"{cores} cores of {platform.machine()} under {platform.system()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}, load {load} at the end."


if __name__ == "__main__":
    typer.run(main)
