"""Grids, and where pixels lie."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pipeline.config.values import ConfigSection

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerAxis = Positive | Annotated[list[Positive], Field(min_length=2, max_length=2)]
"""A number for both axes, or [x, y]."""
PixelSizes = Positive | Annotated[list[Positive], Field(min_length=2, max_length=2)]
"""A number for both axes, or [y, x], as arrays and microscopes have them."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


_Method = Literal["nearest", "bilinear", "cubic", "lanczos", "average"]
Resampling = Annotated[
    _Method,
    BeforeValidator(lambda value: "average" if value == "area" else value),
    WithJsonSchema({"enum": [*get_args(_Method), "area"], "type": "string"}),
]
"""How pixels are brought to another grid; area is another word for average."""


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


class GeoreferenceConfig(ConfigSection):
    """Where the pixels of an array lie."""

    crs: str | None = Field(None, description="AUTHORITY:CODE or WKT")
    transform: Annotated[list[Finite], Field(min_length=6, max_length=6)] | None = Field(
        None, description="[a, b, c, d, e, f]: x = a·col + b·row + c and y = d·col + e·row + f at the corner of a pixel"
    )
    bounds: Annotated[list[Finite], Field(min_length=4, max_length=4)] | None = Field(
        None, description="[left, bottom, right, top] of all pixels, of which the first row is the top"
    )

    @model_validator(mode="after")
    def _one_place(self) -> GeoreferenceConfig:
        if self.transform is not None and self.bounds is not None:
            raise ValueError("transform and bounds both say where the pixels lie; give one of them")
        if self.crs is None and self.transform is None and self.bounds is None:
            raise ValueError("it is empty; give crs, transform or bounds, or leave it out")
        if self.bounds is not None and (self.bounds[0] >= self.bounds[2] or self.bounds[1] >= self.bounds[3]):
            raise ValueError(f"bounds are {self.bounds}; give [left, bottom, right, top], left below right")
        if self.transform is not None:
            a, b, _, d, e, _ = self.transform
            if a * e == b * d:
                raise ValueError(f"transform is {self.transform}, by which pixels have no area")
        return self

    def transform_of(self, height: int, width: int) -> tuple[float, float, float, float, float, float] | None:
        """The transform of an array of so many px; None where a CRS alone is given."""
        if self.bounds is not None:
            left, bottom, right, top = self.bounds
            return (right - left) / width, 0.0, left, 0.0, (bottom - top) / height, top
        if self.transform is None:
            return None
        a, b, c, d, e, f = self.transform
        return a, b, c, d, e, f
