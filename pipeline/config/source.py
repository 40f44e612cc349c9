"""Where pixels come from, and what is known of them."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.families import SOURCE_KINDS, OneOf
from pipeline.config.values import Auto, ConfigSection, Count

MAX_NAMED_FILES = 4
"""Files that a message names."""


class AreaConfig(ConfigSection):
    """The part of a raster that is asked for."""

    path: str = Field(description="polygons in any CRS: GeoJSON, GeoPackage, FlatGeobuf, shapefile …")
    layer: str | None = Field(None, description="layer of a file that has several")
    where: str | None = Field(None, description="condition on the attributes, such as: name = 'north'")


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerAxis = Positive | Annotated[list[Positive], Field(min_length=2, max_length=2)]
"""A number for both axes, or [x, y]."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class GridConfig(ConfigSection):
    """The grid on which the network sees a raster."""

    crs: str | None = Field(None, description="AUTHORITY:CODE or WKT; the source's by default")
    resolution: PerAxis | None = Field(
        None, description="size of a pixel in units of the grid's CRS, or [x, y]; about the source's by default"
    )
    bounds: Annotated[list[Finite], Field(min_length=4, max_length=4)] | None = Field(
        None, description="[left, bottom, right, top] in the grid's CRS; what covers the source by default"
    )
    snap: PerAxis | None = Field(
        None,
        description="sides are moved outwards to multiples of it, or of [x, y]; the resolution by default, and nothing "
        "where bounds are given",
    )
    like: str | None = Field(None, description="a raster that has the grid; then nothing else is given")

    @model_validator(mode="after")
    def _consistent(self) -> GridConfig:
        others = [name for name in ("crs", "resolution", "bounds", "snap") if getattr(self, name) is not None]
        if self.like is not None and others:
            raise ValueError(
                f"like gives the whole grid, and {' and '.join(others)} would give it anew; give like alone, or leave "
                f"it out"
            )
        if self.like is None and not others:
            raise ValueError("it is empty; give crs, resolution, bounds, snap, or like: FILE, or leave it out")
        if self.bounds is not None and (self.bounds[0] >= self.bounds[2] or self.bounds[1] >= self.bounds[3]):
            raise ValueError(
                f"bounds are {self.bounds}, which hold no pixel; give [left, bottom, right, top] with left below right "
                f"and bottom below top, across the antimeridian as [179, -20, 181, -18]"
            )
        return self


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
    grid: GridConfig | None = Field(None, description="the grid on which the network sees the source; null: its own")
    resampling: Literal["nearest", "bilinear", "cubic", "lanczos", "average"] = Field(
        "bilinear", description="how the source is brought to source.grid"
    )

    @field_validator("path", mode="before")
    @classmethod
    def _single(cls, path: object) -> object:
        if isinstance(path, list):
            raise ValueError(f"several files are no source yet; {one_raster([str(name) for name in path])}")
        return path

    @model_validator(mode="after")
    def _resampled(self) -> SourceConfig:
        if self.grid is None and "resampling" in self.model_fields_set and self.resampling != "bilinear":
            raise ValueError(
                f"resampling is {self.resampling}, but no grid is given, so that nothing is resampled; give source.grid"
            )
        return self


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
