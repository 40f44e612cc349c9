"""How a first config reads the scene: as a raster, or as a slide at the size of the network's training."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.interfaces import Source
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.sources.gdal.opening import SLIDES

UM_PER_M = 1e6
MPP_DIGITS = 6
"""Significant ones of a size."""


def scene_config(scene: str, bands: list[int] | None) -> SourceConfig:
    """A slide by its name where OpenSlide is there to read it, else a raster."""
    is_slide = Path(scene).suffix.lower() in SLIDES and importlib.util.find_spec("openslide") is not None
    return SourceConfig(kind="slide" if is_slide else "raster", path=scene, bands=bands)


def at_training_size(config: SourceConfig, source: Source, facts: ModelFacts) -> SourceConfig:
    """A slide of known size at the µm per px that the model's file states; else as it is."""
    if config.kind != "slide" or source.grid.unit != "um" or facts.pixel_size is None:
        return config
    mpp = float(f"{facts.pixel_size * UM_PER_M:.{MPP_DIGITS}g}")
    return SourceConfig(kind="slide", path=config.path, bands=config.bands, mpp=mpp)


def scene_keys(config: SourceConfig, facts: ModelFacts) -> dict[str, tuple[Any, str]]:
    """Keys of the section ``source`` beside its path and bands, each with where it comes from."""
    if config.kind != "slide":
        return {}
    if config.mpp is None:
        return {
            "kind": (config.kind, "the scene's name"),
            "level": (0, "default: as the scanner took it; or mpp: µm per px"),
        }
    return {"kind": (config.kind, "the scene's name"), "mpp": (config.mpp, f"as {facts.origin} says")}
