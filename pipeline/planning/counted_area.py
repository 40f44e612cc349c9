"""The part of a raster that ``model.input.normalise`` looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config import NormaliseConfig
from pipeline.errors import ConfigError
from pipeline.planning.normalise_text import NORMALISE_KEY

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea, SourceAreas

KEY_OF_AREA = {"aoi": "source.aoi", "tissue": "source.only"}
"""Which key of the source names the area, by ``over``."""


def counted_area(normalise: NormaliseConfig, areas: SourceAreas) -> RequestedArea | None:
    """The part of the raster whose pixels are looked at; None for all. Raises ConfigError where it is not given."""
    if normalise.over == "raster":
        return None
    area = {"aoi": areas.aoi, "tissue": areas.only}[normalise.over]
    if area is None:
        key = KEY_OF_AREA[normalise.over]
        raise ConfigError(
            f"{NORMALISE_KEY}.over is {normalise.over}, and there is no {key}. Give {key}, or over: raster, which "
            f"takes all valid pixels."
        )
    return area
