"""Windows at random from rasters and their labels, both of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.config import SourceConfig
from pipeline.protocols import Pixels, Source
from pipeline.raster.window import Window
from pipeline.sources import open_source
from pipeline.stages.normalise import Normalisation, normalise

IGNORE = 255
"""Label of pixels that teach nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A raster, its labels on the same grid, and where windows may be drawn."""

    raster: Source
    labels: Source
    area: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the network learns from at one step."""

    x: torch.Tensor
    """(windows, bands, rows, cols) float32, normalised; 0 where invalid."""
    y: torch.Tensor
    """(windows, rows, cols) int64 class indices; IGNORE where nothing is known."""


def scene(raster: str, labels: str, area: Window | None = None) -> Scene:
    """Open a raster and its labels.

    Raises
    ------
    ValueError
        Their sizes differ.
    """
    image, codes = open_source(SourceConfig(path=raster)), open_source(SourceConfig(path=labels, nodata=None))
    if (image.grid.height, image.grid.width) != (codes.grid.height, codes.grid.width):
        raise ValueError(f"{raster} and {labels} differ in size")
    whole = Window(row=0, col=0, height=image.grid.height, width=image.grid.width)
    return Scene(raster=image, labels=codes, area=area or whole)


def batches(scenes: list[Scene], how: Normalisation, *, side: int, count: int, jitter: float, seed: int) -> Iterator[Batch]:
    """Batches without end, the same for the same seed.

    Parameters
    ----------
    scenes
        Drawn from evenly.
    how
        Normalisation of the raw pixels.
    side
        Of a window, px.
    count
        Windows of a batch.
    jitter
        Largest relative change of brightness, per window and per band.
    seed
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    while True:
        pairs = [_draw(scenes[rng.integers(len(scenes))], side, rng) for _ in range(count)]
        inputs = [_input(pixels, how, jitter, rng) for pixels, _ in pairs]
        yield Batch(x=torch.cat(inputs), y=torch.from_numpy(np.stack([label for _, label in pairs]).astype(np.int64)))


def _draw(where: Scene, side: int, rng: np.random.Generator) -> tuple[Pixels, npt.NDArray[Any]]:
    """A window that is at least a quarter labelled (after ten tries, whatever it is), turned and mirrored."""
    for _ in range(10):
        row = where.area.row + int(rng.integers(max(where.area.height - side, 0) + 1))
        col = where.area.col + int(rng.integers(max(where.area.width - side, 0) + 1))
        window = Window(row=row, col=col, height=side, width=side)
        label = where.labels.read(window).data[0]
        if (label != IGNORE).mean() >= 0.25:
            break
    pixels = where.raster.read(window)
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    label = np.where(pixels.valid, label, IGNORE)
    data, valid, label = (_turn(array, turns, mirrored) for array in (pixels.data, pixels.valid, label))
    return Pixels(data=data, valid=valid), label


def _turn(array: npt.NDArray[Any], turns: int, mirrored: bool) -> npt.NDArray[Any]:
    turned = np.rot90(array, turns, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if mirrored else turned)


def _input(pixels: Pixels, how: Normalisation, jitter: float, rng: np.random.Generator) -> torch.Tensor:
    """Normalised pixels whose brightness is off by a little, as another day's would be."""
    bands = len(pixels.data)
    gain = (1 + jitter * rng.uniform(-1, 1)) * (1 + 0.3 * jitter * rng.uniform(-1, 1, bands))
    brighter = pixels.data * gain[:, None, None]
    return normalise(brighter.astype(np.float32), pixels.valid, how, torch.device("cpu"))
