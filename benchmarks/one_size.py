"""What `plan` costs for an ONNX network of one input size and many nodes.

CPU seconds the first time, and once its measurements are kept.

    python benchmarks/one_size.py OUT [--blocks 56] [--size 256] [--rounds 1] [--small]

The network is a U-Net of two levels whose middle is a row of inverted bottlenecks: with 56 of them about 1,400 nodes
and 40 MB of weights. It is made twice: of convolutions alone, whose radius can be measured, and with the global pooling
of squeeze-and-excite, which tells by its name that it looks everywhere. Prints Markdown.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import rasterio
import torch
import typer
import yaml
from rasterio.transform import from_origin
from torch import nn

ROOT = Path(__file__).resolve().parents[1]


class Bottleneck(nn.Module):
    """Wider, once along rows and columns, narrower: as mobile networks do."""

    def __init__(self, width: int, squeezed: bool) -> None:
        super().__init__()
        wide = 4 * width
        self.widen = nn.Sequential(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.across = nn.Sequential(nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.squeeze = (
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, wide, 1), nn.Sigmoid()) if squeezed else None
        )
        self.narrow = nn.Sequential(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width, rows, cols) → the same."""
        y = self.across(self.widen(x))
        if self.squeeze is not None:
            y = y * self.squeeze(y)
        added: torch.Tensor = x + self.narrow(y.transpose(2, 3)).transpose(2, 3)
        return added


class Deep(nn.Module):
    """Down by four, a row of bottlenecks, up by four."""

    def __init__(self, bands: int, width: int, blocks: int, squeezed: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(bands, width, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2, padding=1)
        )
        self.middle = nn.Sequential(*(Bottleneck(width, squeezed) for _ in range(blocks)))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(width, 3, 2, stride=2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → (n, 3, rows, cols)."""
        scores: torch.Tensor = self.up(self.middle(self.down(x)))
        return scores


def main(
    out: Path,
    blocks: Annotated[int, typer.Option(help="Bottlenecks: each has about 25 nodes.")] = 56,
    size: Annotated[int, typer.Option(help="The one size, px.")] = 256,
    rounds: int = 1,
    small: Annotated[bool, typer.Option("--small", help="See that it works; the figures say nothing.")] = False,
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    blocks, size, width = (3, 64, 4) if small else (blocks, size, 88)
    scene(out / "scene.tif", 2 * size)
    print("| network | nodes | MB | plan, first, CPU s | again, CPU s | what it says |\n|---|---|---|---|---|---|")
    for name, squeezed in (("convolutions alone", False), ("squeeze-and-excite", True)):
        path = write(out / f"{'squeezed' if squeezed else 'plain'}.onnx", Deep(3, width, blocks, squeezed), size)
        first = [planned(out, path, size, cold=True) for _ in range(rounds)]
        again = [planned(out, path, size, cold=False) for _ in range(rounds)]
        nodes = len(onnx.load(str(path), load_external_data=False).graph.node)
        seconds = " | ".join(f"{np.median([taken for taken, _ in row]):.1f}" for row in (first, again))
        print(f"| {name} | {nodes:,} | {path.stat().st_size / 1e6:.0f} | {seconds} | {first[0][1]} |")


def write(path: Path, network: nn.Module, size: int) -> Path:
    """As ONNX with batch norms as they are, for one size."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter is announced to end, and is what most files were made with
        torch.onnx.export(
            network.eval(),
            (torch.rand(1, 3, size, size),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=["y"],
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    return path


def scene(path: Path, side: int) -> None:
    """Three bands of noise."""
    data = np.random.default_rng(0).normal(size=(3, side, side)).astype("float32")
    profile = {
        "driver": "GTiff",
        "crs": "EPSG:32633",
        "transform": from_origin(500_000, 4_600_000, 10, 10),
        "tiled": True,
    }
    with rasterio.open(path, "w", count=3, height=side, width=side, dtype="float32", **profile) as made:
        made.write(data)


def planned(out: Path, network: Path, size: int, cold: bool) -> tuple[float, str]:
    """CPU seconds of `plan` with all that it starts, and the verdict that it prints."""
    cache = out / "cache"
    if cold:
        for file in cache.rglob("*.json"):
            file.unlink()
    said = {
        "source": {"path": str(out / "scene.tif")},
        "model": {"kind": "onnx", "path": str(network), "input": {"size": size}},
    }
    (out / "job.yaml").write_text(
        yaml.safe_dump({**said, "output": {"path": str(out / "job.zarr")}, "execution": {"device": "cpu"}})
    )
    before = _cpu()
    command = [sys.executable, "-m", "pipeline", "plan", str(out / "job.yaml")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "WHOLECLOTH_CACHE": str(cache)},
    )
    verdict = next(line for line in done.stdout.splitlines() if line.startswith("network"))
    return _cpu() - before, verdict.removeprefix("network").strip().partition(";")[0]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    typer.run(main)
