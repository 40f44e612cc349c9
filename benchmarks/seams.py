"""What tiles do to networks that differ in one layer.

Verdict, scheme, arithmetic and labels that differ from the whole image.

    python benchmarks/seams.py OUT [--size 1536] [--steps 600]

Each network of `tests/networks/families.py` is trained on windows of eight satellite samples and run over another by
the public command, once per scheme, and compared with one forward pass over the whole scene. *At seams* are pixels
within 8 px of where tiles meet: the borders of cores, or the edges of blended tiles. *Right* are pixels that have their
label. What is there already in OUT is not done again. Prints a Markdown table.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import rasterio
import torch
import torch.nn.functional as F
import typer
import yaml
import zarr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the networks are those of the tests

from pipeline.config.load import load_config
from pipeline.geometry.blocks import BlockGrid
from pipeline.planning.prepare import prepare_job
from pipeline.sources.samples import labels, sample_raster
from tests.networks.families import FAMILIES, SIZE

SCHEMES: dict[str, dict[str, Any]] = {
    "exact": {"halo": "exact"},
    "tolerance 1e-3": {"halo": {"tolerance": 1e-3}},
    "tolerance 0.1": {"halo": {"tolerance": 0.1}},
    "hann 25 %": {"overlap": 0.25, "taper": "hann"},
    "hann 50 %": {"overlap": 0.5, "taper": "hann"},
    "gaussian 50 %": {"overlap": 0.5, "taper": "gaussian"},
}
NEAR = 8
"""Px from a seam that are at the seam."""
BATCH = 4


def main(
    out: Path,
    size: Annotated[int, typer.Option(help="Side of the scene, px; a multiple of 32.")] = 1536,
    steps: Annotated[int, typer.Option(help="Of each training.")] = 600,
) -> None:
    """Train, run, compare."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    scene = f"sample://satellite?seed=7&size={size}"
    lessons = [pixels(f"sample://satellite?seed={seed}&size=1024") for seed in range(8, 16)]
    known = np.concatenate([x[:, valid] for x, _, valid in lessons], axis=1)
    mean, std = known.mean(1), known.std(1)
    taught_by = [(normalised(x, valid, mean, std), y) for x, y, valid in lessons]
    rows = [["network", "scheme", "arithmetic", "differ", "at seams", "right"]]
    for number, (name, make) in enumerate(FAMILIES.items()):
        path = out / f"network{number}.pt"
        if not path.exists():
            torch.jit.script(taught(make(len(mean), 5), taught_by, steps)).save(str(path))
        config = {
            "source": {"path": scene},
            "model": {"kind": "torchscript", "path": str(path), "input": _norm(mean, std)},
            "output": {"path": "-"},
        }
        rows += [
            [name, *row]
            for row in judged(config, out / f"network{number}", whole(path, scene, mean, std), labels(scene))
        ]
        print(*rows[-len(SCHEMES) - 1 :], sep="\n", file=sys.stderr, flush=True)
    print("\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]))


def _norm(mean: np.ndarray, std: np.ndarray) -> dict[str, Any]:
    return {"mean": [float(m) for m in mean], "std": [float(s) for s in std], "size": SIZE}


def pixels(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bands, rows, cols) float32, (rows, cols) codes, and (rows, cols) validity of a sample."""
    with rasterio.open(sample_raster(name)) as image, rasterio.open(labels(name)) as known:
        return image.read().astype("float32"), known.read(1), image.dataset_mask() > 0


def normalised(x: np.ndarray, valid: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """As networks see it: invalid pixels are 0."""
    return np.where(valid, (x - mean[:, None, None]) / std[:, None, None], 0).astype("float32")


def taught(network: torch.nn.Module, lessons: list[tuple[np.ndarray, np.ndarray]], steps: int) -> torch.nn.Module:
    """Train on windows of the training size, at random."""
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, steps)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        picked = [window(*lessons[rng.integers(len(lessons))], rng) for _ in range(BATCH)]
        images, codes = (torch.from_numpy(np.stack(parts)) for parts in zip(*picked, strict=True))
        loss = F.cross_entropy(network(images), codes.long(), ignore_index=255)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def window(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A window of the training size, anywhere."""
    row, col = rng.integers(0, y.shape[0] - SIZE, 2)
    return x[:, row : row + SIZE, col : col + SIZE], y[row : row + SIZE, col : col + SIZE]


def whole(path: Path, scene: str, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Labels of one forward pass over the whole scene; 255 where it is invalid."""
    x, _, valid = pixels(scene)
    with torch.inference_mode():
        said = torch.jit.load(str(path))(torch.from_numpy(normalised(x, valid, mean, std))[None])
    return np.where(valid, said[0].argmax(0).numpy(), 255)


def judged(config: dict[str, Any], folder: Path, expected: np.ndarray, known: Path) -> list[list[str]]:
    """A row for the whole image, with the verdict and what auto does, and one for each scheme."""
    with rasterio.open(known) as file:
        truth = file.read(1)
    told = run(config, folder, {})
    assert told is not None, "auto takes any network"
    plan, judge = told[1], (truth != 255) & (expected != 255)
    meet = (
        f"halo {plan['halo']['px']} px"
        if plan["halo"]["px"] is not None
        else f"{plan['tile']['taper']} at {plan['tile']['size']} px every {plan['tile']['step']}"
    )
    rows = [
        [
            f"whole image; {plan['network']['verdict']}, auto takes {meet}",
            "1",
            "",
            "",
            f"{np.mean((expected == truth)[judge]):.1%}",
        ]
    ]
    for number, (scheme, tile) in enumerate(SCHEMES.items()):
        found = run(config, folder.with_name(f"{folder.name}_scheme{number}"), tile)
        rows.append(
            [
                scheme,
                *(
                    ["refused", "", "", ""]
                    if found is None
                    else [*cells(*found, expected), f"{np.mean((found[0] == truth)[judge]):.1%}"]
                ),
            ]
        )
    return rows


def run(
    config: dict[str, Any], name: Path, tile: dict[str, Any]
) -> tuple[np.ndarray, dict[str, Any], BlockGrid] | None:
    """Mask, plan and layout of a run; None where it is refused."""
    size = {"size": SIZE} if "overlap" in tile else {"size": 512} if tile else {}
    said = {**config, "tile": {**size, **tile}, "output": {"path": f"{name.resolve()}.zarr", "pyramid": False}}
    path = name.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(said))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode == 2:
        print(f"{name.name}: {done.stderr.strip()}", file=sys.stderr)
        return None
    assert done.returncode == 0, done.stderr
    mask = np.asarray(zarr.open_array(f"{name}.zarr/0/mask", mode="r")[:])
    return (
        mask,
        json.loads(name.with_suffix(".report.json").read_text())["plan"],
        prepare_job(load_config(path)).task.layout,
    )


def cells(mask: np.ndarray, plan: dict[str, Any], layout: BlockGrid, expected: np.ndarray) -> list[str]:
    """Arithmetic, and labels that differ: all of them, and those at seams."""
    differ, near, valid = mask != expected, seams(layout), expected != 255
    halo = f", halo {plan['halo']['px']} px" if plan["halo"]["px"] is not None else ""
    return [f"{plan['arithmetic_overhead']:.2f} ×{halo}", share(differ[valid]), share(differ[near & valid])]


def share(differ: np.ndarray) -> str:
    """As a percentage, in two digits."""
    return "0" if not differ.any() else f"{100 * differ.mean():.2g} %"


def seams(layout: BlockGrid) -> np.ndarray:
    """(rows, cols) whether a pixel is near a place where tiles meet."""
    near = np.zeros((layout.height, layout.width), bool)
    for index in layout.blocks():
        for tile in layout.tiles(index):
            part = tile.read if layout.blended else tile.keep
            for row in (part.row, part.rows.stop):
                if 0 < row < layout.height:
                    near[max(row - NEAR, 0) : row + NEAR, max(part.col, 0) : part.cols.stop] = True
            for col in (part.col, part.cols.stop):
                if 0 < col < layout.width:
                    near[max(part.row, 0) : part.rows.stop, max(col - NEAR, 0) : col + NEAR] = True
    return near


if __name__ == "__main__":
    typer.run(main)
