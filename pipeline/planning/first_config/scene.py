"""Which source a scene is: one raster, a slide, or a mosaic of those that a folder or a glob names."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.interfaces import Source
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.planes import tiff_select, zarr_settings
from pipeline.sources import bands, open_source
from pipeline.sources.gdal.opening import SLIDES
from pipeline.sources.mosaics.group import LatticeError
from pipeline.sources.mosaics.listing import is_pattern, rasters_in

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files by which a folder is an array, or a group of arrays."""
UM_PER_M = 1e6
MPP_DIGITS = 6
"""Significant ones of a size."""


def scene_settings(scene: str) -> dict[str, Any]:
    """The section ``source`` of a scene.

    Several rasters are a mosaic, on a grid that the first of them suggests where they have none in common. A slide is
    one by its name, where OpenSlide is there to read it. Of a file of several planes the first ones are selected.
    """
    if Path(scene).suffix.lower() in SLIDES and importlib.util.find_spec("openslide") is not None:
        return {"kind": "slide", "path": scene, "level": 0}
    if (settings := zarr_settings(scene)) is not None:
        return settings
    if not _is_several(scene):
        return {"path": scene, **tiff_select(scene)}
    settings = {"kind": "mosaic", "path": scene}
    try:
        open_source(SourceConfig(**settings))
    except LatticeError as error:
        if error.grid is None:
            raise
        return {**settings, "grid": error.grid}
    return settings


def at_training_size(settings: dict[str, Any], source: Source, facts: ModelFacts) -> dict[str, Any]:
    """The settings of a slide of known size at the µm per px that the model's file states; else as they are."""
    if source.grid.unit != "um" or facts.pixel_size is None:
        return settings
    mpp = float(f"{facts.pixel_size * UM_PER_M:.{MPP_DIGITS}g}")
    return {"kind": settings["kind"], "path": settings["path"], "mpp": mpp}


def _is_several(scene: str) -> bool:
    place = Path(scene)
    if not place.is_dir():
        return is_pattern(scene) and "://" not in scene and not place.exists()
    if any((place / name).exists() for name in ZARR_FILES):
        return False
    product = bands.product_of(SourceConfig(kind="bands", path=scene))
    return product is None and bool(rasters_in(scene))
