"""Parts of a raster that are asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.values import ConfigSection

TISSUE = "tissue"
"""Value of ``source.only`` that is no file."""


class AreaConfig(ConfigSection):
    """The part of a raster that is asked for."""

    path: str = Field(description="polygons in any CRS: GeoJSON, GeoPackage, FlatGeobuf, shapefile …")
    layer: str | None = Field(None, description="layer of a file that has several")
    where: str | None = Field(None, description="condition on the attributes, such as: name = 'north'")


class OnlyConfig(AreaConfig):
    """Polygons that limit what is inferred, some of them by their class."""

    classes: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="names of classes, as QuPath's classification has them; all polygons by default"
    )
