"""Pictures as a scanner gives them: glass, stained tissue, and strokes of pens, with what is which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import yaml

from pipeline.geometry.grid import UNIT_TAG
from tests import scenes

GLASS, EOSIN, NUCLEUS = (243, 241, 244), (226, 160, 196), (98, 72, 150)
PENS = {"green": (40, 150, 80), "blue": (45, 70, 170), "red": (225, 25, 35), "black": (35, 33, 38)}
HEIGHT, WIDTH, STAINED = 384, 768, 512
"""Of a slide; all that is no glass lies in the first columns."""


def slide(
    path: Path, height: int = HEIGHT, width: int = WIDTH, pens: tuple[str, ...] = tuple(PENS), **profile: Any
) -> np.ndarray:
    """Writes a slide of two pieces of tissue with a hole in one; (rows, cols) whether a pixel is tissue."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:height, :width]
    y, x = rows / height, cols / width * WIDTH / STAINED
    tissue = (np.hypot((y - 0.55) / 0.35, (x - 0.3) / 0.22) < 1) & (np.hypot(y - 0.5, (x - 0.3) * 1.3) > 0.1)
    tissue |= np.hypot((y - 0.4) / 0.2, (x - 0.8) / 0.12) < 1
    image = np.empty((height, width, 3))
    image[:] = GLASS
    image[tissue] = EOSIN
    image[tissue & (rng.random((height, width)) < 0.3)] = NUCLEUS
    image += rng.normal(0, 3, image.shape)
    for number, name in enumerate(pens):
        stroke = np.abs(y - 0.06 - 0.9 * (number % 2) - 0.02 * np.sin(9 * x)) < 0.02
        stroke &= ((x > 0.5) == (number >= 2)) & (x < 1)
        image[stroke], tissue = PENS[name], tissue & ~stroke
    write(path, np.moveaxis(image.clip(0, 255).astype("uint8"), -1, 0), **profile)
    return tissue


def write(path: Path, data: np.ndarray, um: float | None = None, **profile: Any) -> None:
    """A raster without a CRS; with a size of pixels in µm, as slides have it."""
    transform = {} if um is None else {"transform": rasterio.Affine(um, 0, 0, 0, um, 0)}
    options = {"tiled": True, "blockxsize": 64, "blockysize": 64, "photometric": "RGB", **transform, **profile}
    count, height, width = data.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=data.dtype, **options
    ) as out:
        out.write(data)
        if um is not None:
            out.update_tags(**{UNIT_TAG: "um"})


def config(folder: Path, name: str = "job", source: dict[str, Any] | None = None, **sections: Any) -> Path:
    """A job on a slide with a small U-Net; cells of 8 px and pieces from 400 px where tissue is asked for."""
    if not (folder / "slide.tif").exists():
        slide(folder / "slide.tif")
    said = {"path": str(folder / "slide.tif"), **(source or {})}
    if said.get("only") == "tissue":
        said.setdefault("tissue", {"resolution": "8 px", "min_area": "400 px"})
    path = scenes.config(folder, name, source=said, **sections)
    document = yaml.safe_load(path.read_text())
    document["model"]["input"] = {"mean": 128, "std": 60}
    path.write_text(yaml.safe_dump(document))
    return path


def mask_of(folder: Path, name: str = "job", layer: str = "mask") -> np.ndarray:
    """(rows, cols) of a store."""
    import zarr

    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / "0" / layer, mode="r")[:])
