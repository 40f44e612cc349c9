"""Where pixels come from, and what is known of them."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.config.families import SOURCE_KINDS, OneOf
from pipeline.config.values import Auto, ConfigSection, Count

MAX_NAMED_FILES = 4
"""Files that a message names."""


class AreaConfig(ConfigSection):
    """The part of a raster that is asked for."""

    path: str = Field(description="polygons in any CRS: GeoJSON, GeoPackage, FlatGeobuf, shapefile …")
    layer: str | None = Field(None, description="layer of a file that has several")
    where: str | None = Field(None, description="condition on the attributes, such as: name = 'north'")


class SourceConfig(ConfigSection):
    """Where the pixels come from."""

    kind: Annotated[str, OneOf(SOURCE_KINDS)] = Field("raster", description="anything GDAL opens")
    path: str = Field(
        description='path, URL, /vsi… path, a name of GDAL\'s such as NETCDF:"FILE":NAME, or sample://NAME'
    )
    bands: Annotated[list[Count], Field(min_length=1)] | None = Field(
        None, description="bands in the network's order, counted from 1; all but alpha by default"
    )
    nodata: Auto | int | float | None = Field("auto", description="auto: the file's; a value; or null: none")
    nodata_rule: Literal["all", "any"] = Field(
        "all", description="a pixel is invalid where all its bands are nodata, or any"
    )
    scale_tags: bool = Field(False, description="apply the file's own scale and offset tags")
    aoi: str | AreaConfig | None = Field(
        None, description="path of polygons: only pixels in them are inferred and written"
    )

    @field_validator("path", mode="before")
    @classmethod
    def _single(cls, path: object) -> object:
        if isinstance(path, list):
            raise ValueError(f"several files are no source yet; {one_raster([str(name) for name in path])}")
        return path


def one_raster(names: list[str]) -> str:
    """How several files become one raster, as a message says it."""
    listed = " ".join(shlex.quote(name) for name in names[:MAX_NAMED_FILES]) + (
        " …" if len(names) > MAX_NAMED_FILES else ""
    )
    stacked, mosaic = f"gdalbuildvrt -separate stack.vrt {listed}", f"gdalbuildvrt mosaic.vrt {listed}"
    return f"make one raster of them: {stacked} where each is a band, or {mosaic} where they lie side by side"


class LabelsConfig(ConfigSection):
    """What is known of an image: a raster of class codes, or polygons."""

    path: str = Field(
        description="raster of one band, polygons (GeoJSON, GeoPackage, FlatGeobuf, shapefile …), or sample://NAME"
    )
    values: dict[int | str, int | str] | None = Field(
        None,
        description="value of the labels → code or name of its class, such as {0: 0, 255: 1}; then every "
        "value is listed",
    )
    ignore: list[int | str] = Field([], description="values that say nothing, or names of classes that are passed over")
    attribute: str | None = Field(None, description="field of the polygons that holds the class")
    burn: int | str | None = Field(None, description="name or code of the class that all polygons mean")
    layer: str | None = Field(None, description="layer of a file that has several")
