"""napari's plugin for OME-Zarr: the layer that its reader function gives to the viewer."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

import numpy as np
from napari_ome_zarr import napari_get_reader

from tests.readers.ome_reader import hexadecimal


def version() -> str:
    return f"napari-ome-zarr {version_of('napari-ome-zarr')}, of napari {version_of('napari')}"


def read(path: str) -> dict[str, Any]:
    ((levels, options),) = (layer[:2] for layer in napari_get_reader(path)(path) if layer[2] == "labels")
    table = options["features"]
    return {
        "pixels": np.asarray(levels[0]),
        "names": dict(zip(table["label_value"], table["class"], strict=True)),
        "colours": hexadecimal(options["colormap"]),
    }
