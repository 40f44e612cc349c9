"""Which source a scene is: one raster, or a mosaic of those that a folder or a glob names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.sources import bands, open_source
from pipeline.sources.mosaics.group import LatticeError
from pipeline.sources.mosaics.listing import is_pattern, rasters_in

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files by which a folder is an array, or a group of arrays."""


def scene_settings(scene: str) -> dict[str, Any]:
    """The section ``source`` of a scene.

    Several rasters are a mosaic, on a grid that the first of them suggests where they have none in common.
    """
    if not _is_several(scene):
        return {"path": scene}
    settings = {"kind": "mosaic", "path": scene}
    try:
        open_source(SourceConfig(**settings))
    except LatticeError as error:
        if error.grid is None:
            raise
        return {**settings, "grid": error.grid}
    return settings


def _is_several(scene: str) -> bool:
    place = Path(scene)
    if not place.is_dir():
        return is_pattern(scene) and "://" not in scene and not place.exists()
    if any((place / name).exists() for name in ZARR_FILES):
        return False
    product = bands.product_of(SourceConfig(kind="bands", path=scene))
    return product is None and bool(rasters_in(scene))
