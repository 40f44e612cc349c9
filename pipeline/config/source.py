"""Where pixels come from, and what is known of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.config.families import SOURCE_KINDS, OneOf, facts_of, kinds_with
from pipeline.config.tissue import TissueConfig
from pipeline.config.values import Auto, ConfigSection, Count

MAX_NAMED_FILES = 4
"""Files that a message names."""
SHARED_KEYS = ("nodata", "nodata_rule", "scale_tags", "resampling")
"""Keys of a stack that hold for each of its sources which does not give them itself."""


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


def date_text(value: object) -> object:
    """A date of YAML as ISO 8601, and what is no label refused."""
    if isinstance(value, bool) or value is None:
        raise ValueError("it is no label; give a number, a text or a date")
    return value.isoformat() if isinstance(value, date) else value


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


SelectLabel = Annotated[int | float | str, BeforeValidator(date_text)]
SelectValue = SelectLabel | Annotated[list[SelectLabel], Field(min_length=1)]
"""What of a dimension is read: a label, or a list of those that are bands."""


class NotConfig(ConfigSection):
    """Values that make a pixel invalid."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    forbidden: Annotated[list[int | str], Field(min_length=1)] = Field(
        alias="not", description="values, classes or flags that make a pixel invalid"
    )


def _entry_tag(entry: object) -> str:
    """Which of both an entry of a list is; words in brackets are no keys for messages."""
    return "[path]" if isinstance(entry, str) else "[source]"


class SourceConfig(ConfigSection):
    """Where the pixels come from."""

    kind: Annotated[str, OneOf(SOURCE_KINDS)] = Field("raster", description="anything GDAL opens")
    path: (
        str
        | dict[str, str]
        | list[
            Annotated[
                Annotated[str, Tag("[path]")] | Annotated[StackedSourceConfig, Tag("[source]")],
                Discriminator(_entry_tag),
            ]
        ]
    ) = Field(
        description='path, URL, /vsi… path, a name of GDAL\'s such as NETCDF:"FILE":NAME, or sample://NAME; '
        "of kind bands a template with {band}, or a file by each band's name; of kind mosaic a list of files, a glob, "
        "or a folder; of kind stack a list of sources"
    )
    bands: Annotated[list[Count | str], Field(min_length=1)] | None = Field(
        None,
        description="bands in the network's order, counted from 1; all but alpha by default; of kind bands by name",
    )
    nodata: Auto | int | float | None = Field("auto", description="auto: the file's; a value; or null: none")
    nodata_rule: Literal["all", "any"] = Field(
        "all", description="a pixel is invalid where all its bands are nodata, or any"
    )
    scale_tags: bool = Field(False, description="apply the file's own scale and offset tags")
    aoi: str | AreaConfig | None = Field(
        None, description="path of polygons: only pixels in them are inferred and written"
    )
    only: str | OnlyConfig | None = Field(
        None,
        description="tissue, or path of polygons or of a mask picture: only these pixels are inferred and written",
    )
    tissue: TissueConfig | None = Field(None, description="of only: tissue: how tissue is told from glass")
    grid: GridConfig | None = Field(None, description="the grid on which the network sees the source; null: its own")
    resampling: Literal["nearest", "bilinear", "cubic", "lanczos", "average"] = Field(
        "bilinear", description="how the source is brought to source.grid, and bands of other pixels to one grid"
    )

    resolution: float | None = Field(
        None, gt=0, description="of kind bands: pixel size, in units of the CRS; that of the finest band by default"
    )
    radiometry: Literal["raw", "harmonised", "reflectance"] | None = Field(
        None,
        description="of kind bands, of products: numbers as they are (by default), with the offset of the metadata, or "
        "reflectance",
    )
    valid: dict[str, list[int | str] | NotConfig] | None = Field(
        None,
        description="of kind bands: by the name of a quality band, its valid values, or {not: [values or flags]}",
    )
    overlap: Literal["first", "last", "newest"] = Field(
        "first", description="of kind mosaic: which of overlapping pieces wins; its invalid pixels come of the next"
    )
    unreadable: Literal["refuse", "nodata"] = Field(
        "refuse", description="of kind mosaic: what is done with pieces that cannot be read"
    )
    align: Literal["exact", "resample"] | None = Field(
        None,
        description="of kind stack, where grids differ: exact moves sources by whole pixels alone, resample brings all "
        "to the grid of the first",
    )
    stack_rule: Literal["any", "all"] = Field(
        "any", description="of kind stack: a pixel is invalid where any source is, or all"
    )

    variable: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="of kind zarr: path of the array in its file, or a list of those that are bands"
    )
    select: dict[str, SelectValue] | None = Field(
        None,
        description="of kind zarr: by dimension the label that is read, such as {time: 2024-06-01}, or a list of those "
        "that are bands",
    )
    axes: str | Annotated[list[str], Field(min_length=2)] | None = Field(
        None, description="of kind zarr: names of the array's dimensions in order, such as [time, y, x, band] or tyxc"
    )
    georeference: GeoreferenceConfig | Literal["pixels"] | None = Field(
        None, description="of kind zarr: where the pixels lie, instead of what the file says; pixels: nowhere"
    )

    @property
    def file(self) -> str:
        """The path of a kind that reads one file."""
        assert isinstance(self.path, str)
        return self.path

    @property
    def numbers(self) -> list[int] | None:
        """The bands of a kind that counts them."""
        return None if self.bands is None else [int(band) for band in self.bands]

    @property
    def place(self) -> str:
        """What is read, as messages and fingerprints name it."""
        if isinstance(self.path, str):
            return self.path
        if isinstance(self.path, dict):
            return ", ".join(f"{name}={file}" for name, file in self.path.items())
        places = [entry if isinstance(entry, str) else entry.place for entry in self.path]
        if self.kind == "stack" or len(places) <= MAX_NAMED_FILES:
            return ", ".join(places)
        return f"{', '.join(places[:MAX_NAMED_FILES])} and {len(places) - MAX_NAMED_FILES} more"

    @property
    def sources(self) -> list[StackedSourceConfig]:
        """The sources of a stack."""
        assert isinstance(self.path, list)
        return [entry for entry in self.path if not isinstance(entry, str)]

    def at(self, path: ScenePath) -> SourceConfig:
        """The same source in another place; of a stack each of its sources.

        Raises ValueError where this kind of source has no such path.
        """
        if self.kind == "stack":
            if not isinstance(path, list) or len(path) != len(self.sources):
                raise ValueError(
                    f"{path!r} is no list of {len(self.sources)} paths, one for each source of source.path"
                )
            entries = [entry.at(inner) for entry, inner in zip(self.sources, path, strict=True)]
            return self.model_copy(update={"path": entries})
        if type(path) not in facts_of(self.kind).forms:
            raise ValueError(f"{path!r} is no path of a source of kind {self.kind}")
        return self.model_copy(update={"path": path})

    @model_validator(mode="before")
    @classmethod
    def _with_shared_keys(cls, values: Any) -> Any:
        """Write the keys that sources of a stack share into each that does not give them itself."""
        if not isinstance(values, dict) or values.get("kind") != "stack" or not isinstance(values.get("path"), list):
            return values
        shared = {key: values[key] for key in SHARED_KEYS if key in values}
        entries = [{"path": entry} if isinstance(entry, str) else entry for entry in values["path"]]
        return {**values, "path": [{**shared, **entry} if isinstance(entry, dict) else entry for entry in entries]}

    @field_validator("path", mode="before")
    @classmethod
    def _fitting_path(cls, path: object, info: ValidationInfo) -> object:
        forms = facts_of(info.data.get("kind", "raster")).forms
        if isinstance(path, list) and list not in forms:
            kind = info.data.get("kind")
            raise ValueError(f"several files are no source of kind {kind}; {one_raster([str(name) for name in path])}")
        if isinstance(path, dict) and dict not in forms:
            raise ValueError("a file for each name is a source of kind: bands; add that to source")
        if forms == (list,) and not (isinstance(path, list) and path):
            raise ValueError(
                "a stack is a list of sources, such as [2019.tif, 2024.tif]; list them, or give another kind"
            )
        return {str(name): file for name, file in path.items()} if isinstance(path, dict) else path

    @field_validator("bands")
    @classmethod
    def _counted_bands(cls, bands: list[int | str] | None, info: ValidationInfo) -> list[int | str] | None:
        names = [band for band in bands or [] if isinstance(band, str)]
        kind = info.data.get("kind", "raster")
        if names and not facts_of(kind).names_bands:
            raise ValueError(f"{names[0]!r} is no number; bands of a {kind} count from 1, and kind: bands names them")
        return bands

    @model_validator(mode="after")
    def _fitting_keys(self) -> Self:
        for key, field in type(self).model_fields.items():
            kinds = kinds_with(key)
            if kinds and self.kind not in kinds and getattr(self, key) != field.default:
                raise ValueError(f"{key} is a key of kind: {' or '.join(kinds)}; leave it out, or give that kind")
        return self

    @model_validator(mode="after")
    def _tissue(self) -> Self:
        if self.tissue is not None and self.only != TISSUE:
            raise ValueError(
                f"tissue says how tissue is estimated, but only is {self.only}; give only: tissue, or leave tissue out"
            )
        return self

    @model_validator(mode="after")
    def _fitting_stack(self) -> Self:
        if self.kind == "stack" and self.bands is not None:
            raise ValueError(
                "bands of a stack are named by each source: write {path: FILE, bands: [3, 1]} in the list; one file "
                "may be listed more than once"
            )
        if self.grid is not None and self.align is not None:
            raise ValueError(
                f"align is {self.align}, but all sources of a stack are brought to source.grid; leave one of both out"
            )
        return self

    @model_validator(mode="after")
    def _resampled(self) -> Self:
        plain = self.grid is None and not facts_of(self.kind).resamples
        if plain and "resampling" in self.model_fields_set and self.resampling != "bilinear":
            raise ValueError(
                f"resampling is {self.resampling}, but no grid is given, so that nothing is resampled; give source.grid"
            )
        return self


ScenePath = str | dict[str, str] | list[str | dict[str, str]]
"""Where another scene lies that is read as a source is."""


class StackedSourceConfig(SourceConfig):
    """One source of a stack."""

    @model_validator(mode="after")
    def _resampled(self) -> Self:
        """Let it be resampled, since the stack has a grid; the override of what holds without one."""
        return self

    @model_validator(mode="after")
    def _part_of_stack(self) -> Self:
        if self.kind == "stack":
            raise ValueError("a stack holds no stacks; list the sources of both in one list")
        keys = [key for key in ("aoi", "only", "grid") if getattr(self, key) is not None]
        if keys:
            raise ValueError(f"{' and '.join(keys)} is one for all sources of a stack; write it beside kind: stack")
        return self


SourceConfig.model_rebuild()


def one_raster(names: list[str]) -> str:
    """How several files become one raster, as a message says it."""
    listed = ", ".join(names[:MAX_NAMED_FILES]) + (", …" if len(names) > MAX_NAMED_FILES else "")
    return (
        f"where they lie beside each other, kind: mosaic reads them as one raster, with a list such as [{listed}], a "
        f"glob such as tiles/*.tif or a folder as path; where each is a band, kind: bands does, with a template such "
        f"as B{{band}}.tif or a mapping such as {{red: B04.tif}} as path; where each is a date or a sensor, "
        f"kind: stack puts their bands side by side"
    )


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
