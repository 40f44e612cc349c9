"""What the samples' weights are worth: ``python -m pipeline.training.judge CONFIG NAME`` runs the main job on held-out samples."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer
from rasterio.windows import Window as RasterioWindow

from pipeline import samples
from pipeline.evaluation.confusion import Confusion
from pipeline.load_config import load
from pipeline.progress import Progress
from pipeline.raster.span import cut
from pipeline.raster.window import Window
from pipeline.run import execute, prepare
from pipeline.store.layout import open_layer
from pipeline.training.recipes import RECIPES, Name, Recipe

PIECE = 1024


def judge(config: Path, uri: str, recipe: Recipe) -> Confusion:
    """Run a config on one sample and compare its mask with the labels."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "judged.zarr"
        job = prepare(load(config, [f"source.path={uri}", f"output.path={store}"]))
        with Progress() as progress:
            execute(job, progress)
        whole = Window(row=0, col=0, height=job.source.grid.height, width=job.source.grid.width)
        return compare(store, samples.labels(uri), recipe.judged or whole, len(recipe.meta.classes))


def compare(store: Path, labels: Path, area: Window, classes: int) -> Confusion:
    """Count labels against the mask of a store, a window at a time."""
    found, mask = Confusion(classes), open_layer(store, 0, "mask")
    with rasterio.open(labels) as codes:
        for rows in cut(area.height, PIECE):
            for cols in cut(area.width, PIECE):
                row, col = area.row + rows.start, area.col + cols.start
                frame = RasterioWindow(col, row, cols.size, rows.size)
                found.add(codes.read(1, window=frame), np.asarray(mask[row : row + rows.size, col : col + cols.size]))
    return found


def main(config: Annotated[Path, typer.Argument()], name: Name) -> None:
    """Print IoU per class and its mean on each held-out sample, as a Markdown table."""
    recipe = RECIPES[name]
    names = [str(row["name"]) for row in recipe.meta.classes]
    print(f"| sample | {' | '.join(names)} | mIoU |\n|---|{'---|' * (len(names) + 1)}")
    for uri in recipe.judges:
        iou = judge(config, uri, recipe).iou()
        print(f"| `{uri}` | {' | '.join(f'{value:.3f}' for value in iou)} | {np.nanmean(iou):.3f} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
