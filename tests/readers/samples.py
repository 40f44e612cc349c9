"""The runs whose files are read, and what there is to see of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.exports.task import ExportRequest
from pipeline.running.export import export_store
from tests import runs, scenes
from tests.readers.answer import digest

CLASSES = [
    {"name": "open water", "code": 1, "color": "#1b9e77"},
    {"name": "trees & shrubs", "code": 2, "color": "#d95f02"},
    {"name": "Äcker", "code": 5, "color": "#7570b3"},
    {"name": "built-up", "code": 6, "color": "#e7298a"},
]
"""Names with a blank, with what XML escapes and beyond ASCII, and codes with gaps."""
OUTPUTS = {"v3": {}, "shards": {"shard": 128}, "v2": {"zarr_format": 2}}
TRANSFORM = [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]


def make(folder: Path) -> Path:
    """Run a small job once per form of the store, each with the exports of every run."""
    for name, output in OUTPUTS.items():
        place = folder / name
        place.mkdir()
        runs.go(scenes.config(place, model={"classes": CLASSES}, output={"exports": "auto", **output}))
    image = make_image(folder / "image" / "scene.ome.zarr", scenes.read(folder / "v3" / "scene.tif"))
    export_store(folder / "v3" / "job.zarr", ExportRequest(to="image-labels", out=image), False, lambda line: None)
    return folder


def make_image(path: Path, pixels: np.ndarray) -> Path:
    """An OME-Zarr of two levels."""
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    levels = [
        {"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": [1, 2**k, 2**k]}]} for k in range(2)
    ]
    ome: Any = {"ome": {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}}
    group = zarr.open_group(path, mode="w", attributes=ome)
    for k in range(2):
        level = pixels[:, :: k + 1, :: k + 1]
        group.create_array(str(k), data=level, chunks=(1, 128, 128), dimension_names=["c", "y", "x"])
    return path


@cache
def truth(folder: Path) -> dict[str, Any]:
    """What a reader should see, as `answer` says it. Pixels are those of one pass over the whole raster."""
    codes = np.full(256, 255, np.uint8)
    codes[: len(CLASSES)] = [row["code"] for row in CLASSES]
    return {
        "pixels": digest(codes[scenes.whole(folder / "v3")]),
        "crs": ["EPSG:32633", TRANSFORM],
        "nodata": 255.0,
        "names": {str(row["code"]): row["name"] for row in CLASSES},
        "colours": {str(row["code"]): row["color"] for row in CLASSES},
    }
