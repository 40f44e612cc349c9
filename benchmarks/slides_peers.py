"""A slide side by side with TIAToolbox's engine: one network, one slide, one µm per px.

    python -m benchmarks.slides_peers OUT --peer-python VENV/bin/python [--side 8192] [--rounds 2]

The slide has JPEG tiles of 256 px at 0.25 µm per px and a level of a quarter; both read it at 0.5 µm per px. TIAToolbox
gets windows of 512 px side by side, without overlap, which is the least that it can compute; Wholecloth runs with its
defaults. The rounds alternate. Prints Markdown: medians, and ratios of them.

The peer's environment holds `tiatoolbox` with the torch of this one. Where torchvision has no build for that torch, its
operators are declared and never called (see `benchmarks/tiatoolbox_slide.py`).
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tifffile
import torch
import typer
import zarr
from PIL import Image

from benchmarks.performance.watch import Limits, watch

MPP, SEEN = 0.25, 0.5
"""µm per px of level 0, and of what the networks see."""
TILE = 256
LIMITS = Limits(memory=16 * 2**30, seconds=1800)
TOOLS = ("wholecloth", "tiatoolbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of one tool."""

    seconds: float
    """Of the whole command."""
    cpu: float
    """Seconds of all its threads and processes."""
    peak: float
    """GiB of all its processes."""
    others: float
    """Cores that other programs kept busy."""
    mask: Path


app = typer.Typer()


@app.command()
def main(
    out: Path,
    peer_python: Annotated[Path, typer.Option(help="Python of an environment with tiatoolbox.")],
    side: Annotated[int, typer.Option(help="Rows and columns of level 0, px.")] = 8192,
    rounds: Annotated[int, typer.Option(help="Runs of each tool.")] = 2,
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    slide, network = write_slide(out / f"{side}.svs", side), write_network(out / "net.pt")
    python = {"wholecloth": Path(sys.executable), "tiatoolbox": peer_python}
    runs: dict[str, list[Measured]] = {tool: [] for tool in TOOLS}
    for number in range(rounds):
        for tool in TOOLS if number % 2 == 0 else TOOLS[::-1]:
            runs[tool].append(measured(tool, python[tool], out, slide, network))
            print(f"<!-- {tool}: {runs[tool][-1]} -->", flush=True)
    print(table(runs))


def write_slide(path: Path, side: int) -> Path:
    """Colours of some px in size, as stained tissue has, described as Aperio's."""
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    noise = [
        Image.fromarray(rng.integers(0, 256, (side // px, side // px, 3), dtype=np.uint8)).resize((side, side))
        for px in (8, 64)
    ]
    image = np.asarray(Image.blend(*noise, 0.5))
    options: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    text = f"Aperio Image Library v12\r\n{side}x{side}|AppMag = 40|MPP = {MPP}"
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in (image, np.asarray(Image.fromarray(image).reduce(4))):
            file.write(level, description=text, **options)
    return path


def write_network(path: Path) -> Path:
    """An FCN of stride 4, radius 23 px and three classes, about as frequent."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for before, after in ((3, 16), (16, 32)):
        layers += [torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Conv2d(32, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(32, 3, 1)]
    layers += [torch.nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)]
    net = torch.nn.Sequential(*layers).eval()
    with torch.no_grad():
        net[-2].bias -= net(torch.rand(1, 3, 256, 256))[0].flatten(1).median(1).values  # type: ignore[operator]
    torch.jit.script(net).save(str(path))
    return path


def measured(tool: str, python: Path, out: Path, slide: Path, network: Path) -> Measured:
    """Run a tool once."""
    answer, orders = out / f"{tool}.answer.json", out / f"{tool}.orders.json"
    mask = out / f"{tool}.zarr"
    names = {"slide": str(slide), "network": str(network), "mpp": SEEN, "mask": str(mask), "answer": str(answer)}
    orders.write_text(json.dumps(names))
    module = {"wholecloth": "benchmarks.wholecloth_slide", "tiatoolbox": "benchmarks.tiatoolbox_slide"}[tool]
    before = _cpu()
    result = watch([str(python), "-m", module, str(orders)], answer, {}, LIMITS)
    if result.status != "ok":
        raise SystemExit(f"{tool}: {result.status}; see {answer.with_suffix('.log')}")
    return Measured(
        seconds=result.wall,
        cpu=_cpu() - before,
        peak=result.peak / 2**30,
        others=result.others,
        mask=Path(result.answer["mask"]),
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(runs: dict[str, list[Measured]]) -> str:
    """Markdown."""
    lines = ["| | s | CPU s | peak memory, GiB | others, cores |", "|---|--:|--:|--:|--:|"]
    medians = {
        tool: [
            statistics.median(getattr(run, name) for run in results) for name in ("seconds", "cpu", "peak", "others")
        ]
        for tool, results in runs.items()
    }
    lines += [f"| {tool} | {' | '.join(f'{value:.3g}' for value in values)} |" for tool, values in medians.items()]
    ratios = [theirs / ours for ours, theirs in zip(medians["wholecloth"][:3], medians["tiatoolbox"][:3], strict=True)]
    lines.append(f"| tiatoolbox / wholecloth | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} | |")
    ours, theirs = (read_mask(runs[tool][-1].mask) for tool in TOOLS)
    rows, cols = (min(*lengths) for lengths in zip(ours.shape, theirs.shape, strict=True))
    different = (ours[:rows, :cols] != theirs[:rows, :cols]).mean()
    return "\n".join([*lines, "", f"{different:.2%} of {rows:,} × {cols:,} px have other labels."])


def read_mask(path: Path) -> np.ndarray:
    """(rows, cols) codes."""
    array = zarr.open_array(path, mode="r")
    return np.asarray(array[:])


if __name__ == "__main__":
    app()
