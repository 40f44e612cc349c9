"""CPU seconds of small commands as multiples of what importing their libraries takes, which no machine changes much.

``python -m benchmarks.start CONFIG``: a job on a raster of 512 × 512 px, say. ``--rounds`` is how often each command
runs; the least of its times counts. The network is measured beforehand, as it is from its second command on.
``--outside CONFIG`` adds a job whose network runs outside of torch, by OpenVINO or onnxruntime.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

IMPORTS = ("-c", "import torch, rasterio, zarr")


def commands(config: Path, outside: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Arguments of the interpreter, by what is measured."""
    job = ("-m", "pipeline")
    without_torch = {} if outside is None else {"run without torch": (*job, "run", str(outside), "--fresh")}
    return {
        "imports": IMPORTS,
        "plan": (*job, "plan", str(config)),
        "run": (*job, "run", str(config), "--fresh"),
        **without_torch,
        "inspect": (*job, "inspect", str(config)),
        "--help": (*job, "--help"),
    }


def cpu_seconds(*arguments: str) -> float:
    """User and system time of one process and its children, s; raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", *arguments], env=_environment(), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(config: Path, rounds: int, outside: Path | None = None) -> dict[str, float]:
    """The least CPU seconds of each command, s; the commands take turns."""
    listed = commands(config, outside)
    for name in ("run", "run without torch", "inspect"):
        if name in listed:
            cpu_seconds(*listed[name])
    times = [{name: cpu_seconds(*arguments) for name, arguments in listed.items()} for _ in range(rounds)]
    return {name: min(round_[name] for round_ in times) for name in listed}


def main(
    config: Path, rounds: Annotated[int, typer.Option()] = 5, outside: Annotated[Path | None, typer.Option()] = None
) -> None:
    """Print a table."""
    seconds = measure(config, rounds, outside)
    print("| command | CPU s | of the imports |\n| --- | --- | --- |")
    for name, value in seconds.items():
        print(f"| {name} | {value:.2f} | {value / seconds['imports']:.2f} |")


def _environment() -> dict[str, str]:
    """Compiled modules are kept, as they are wherever nobody forbids it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    typer.run(main)
