"""A PNG of one layer, as a picture for pages and slides, with a world file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import ConfigError
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.store.layers import CLASS_LAYERS

MAX_SIDE = 8192
"""Longest side of a picture, px, unless another is asked for."""


def _write(task: ExportTask, file: Path) -> None:
    level, step = _level(task)
    height, width = task.part.size(level)
    pixels = task.part.read(level, Window(row=0, col=0, height=height, width=width))[::step, ::step]
    image = _classes(task, pixels) if task.layer in CLASS_LAYERS else Image.fromarray(pixels)
    info = PngInfo()
    info.add_text("Software", str(task.mark))
    clear = {"transparency": len(task.spec.classes)} if task.layer in CLASS_LAYERS else {}
    image.save(file, format="PNG", pnginfo=info, **clear)


def _level(task: ExportTask) -> tuple[int, int]:
    """The largest level that fits; and, of a store whose levels are all larger, every how many pixels are taken."""
    longest = int(task.request.options.get("max_side", MAX_SIDE))
    levels = [k for k in range(task.part.levels) if max(task.part.size(k)) <= longest]
    if levels:
        return levels[0], 1
    last = task.part.levels - 1
    return last, -(-max(task.part.size(last)) // longest)


def _classes(task: ExportTask, codes: npt.NDArray[Any]) -> Image.Image:
    """A picture with a palette: classes in their order, then nodata."""
    rows = task.spec.classes
    index = np.full(int(np.iinfo(codes.dtype).max) + 1, len(rows), dtype=np.uint8)
    index[[row.code for row in rows]] = np.arange(len(rows))
    image = Image.fromarray(index[codes]).convert("P")
    image.putpalette([byte for row in rows for byte in row.rgb] + [0, 0, 0])
    return image


def _companions(task: ExportTask) -> dict[str, bytes]:
    """The world file: pixel size, rotation, and the middle of the first pixel."""
    level, step = _level(task)
    return {"pgw": _world_file(task.part.grid.level(level), step).encode()}


def _world_file(grid: Grid, step: int) -> str:
    a, b, c, d, e, f = grid.transform
    values = (a * step, d * step, b * step, e * step, c + (a + b) * step / 2, f + (d + e) * step / 2)
    return "".join(f"{value!r}\n" for value in values)


def _check(task: ExportTask) -> None:
    dtype = task.spec.layer(task.layer).dtype
    if task.layer in CLASS_LAYERS and len(task.spec.classes) < 256:
        return
    if task.spec.layer(task.layer).planes is not None or dtype != "uint8":
        raise ConfigError(
            f"The layer {task.layer} of {task.store} has several bands, more than 255 classes, or numbers that are no "
            f"bytes ({dtype}), which PNG cannot hold. Export it as cog."
        )


PNG = Form(ending=".png", write=_write, companions=_companions, check=_check)
