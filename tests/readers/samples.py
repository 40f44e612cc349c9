"""The runs whose files are read, and what there is to see of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

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
    return folder


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
