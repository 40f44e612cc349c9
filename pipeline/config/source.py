"""Where pixels come from, and what is known of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.config.areas import TISSUE, AreaConfig, OnlyConfig
from pipeline.config.families import SOURCE_KINDS, OneOf, facts_of, kinds_with
from pipeline.config.grids import GeoreferenceConfig, GridConfig, PixelSizes, Positive, Resampling
from pipeline.config.search import SearchConfig, search_of
from pipeline.config.selection import SelectValue
from pipeline.config.tissue import TissueConfig
from pipeline.config.values import Auto, ConfigSection, Count

MAX_NAMED_FILES = 4
"""Files that a message names."""
SHARED_KEYS = ("nodata", "nodata_rule", "scale_tags", "resampling")
"""Keys of a stack that hold for each of its sources which does not give them itself."""


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

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

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
        | SearchConfig
    ) = Field(
        description='path, URL, /vsi… path, a name of GDAL\'s such as NETCDF:"FILE":NAME, or sample://NAME; '
        "of kind bands a template with {band}, or a file by each band's name; of kind mosaic a list of files, a glob, "
        "or a folder; of kind stack a list of sources; of kind stac an item, a file or URL, or a search of a STAC API"
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
    resampling: Resampling = Field(
        "bilinear",
        description="how the source is brought to source.grid or source.mpp, and bands of other pixels to one grid; "
        "of source.mpp average by default, which may be called area",
    )

    resolution: float | None = Field(
        None,
        gt=0,
        description="of kinds bands and stac: pixel size, in units of the CRS; that of the finest band by default",
    )
    radiometry: Literal["raw", "harmonised", "reflectance"] | None = Field(
        None,
        description="of kinds bands and stac: numbers as they are (by default), with the offset of the metadata, or "
        "reflectance",
    )
    valid: dict[str, list[int | str] | NotConfig] | None = Field(
        None,
        description="of kinds bands and stac: by the name of a quality band, its valid values, or {not: [values or "
        "flags]}",
    )
    assets: Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="of kind stac: assets of an item by key or common name; with bands, where these are looked for",
    )
    sign: str | None = Field(
        None, description="of kind stac: file.py:callable or package.module:callable that signs addresses of files"
    )
    as_: Literal["mosaic"] = Field(
        "mosaic", alias="as", description="of kind stac: what the items of a search become: one mosaic"
    )
    overlap: Literal["first", "last", "newest"] = Field(
        "first",
        description="of kinds mosaic and stac: which of overlapping pieces wins; its invalid pixels come of the next",
    )
    unreadable: Literal["refuse", "nodata"] = Field(
        "refuse", description="of kinds mosaic and stac: what is done with pieces that cannot be read"
    )
    align: Literal["exact", "resample"] | None = Field(
        None,
        description="of kind stack, where grids differ: exact moves sources by whole pixels alone, resample brings all "
        "to the grid of the first",
    )
    stack_rule: Literal["any", "all"] = Field(
        "any", description="of kind stack: a pixel is invalid where any source is, or all"
    )
    pixel_size: PixelSizes | None = Field(
        None, description="µm per px of the file, or [y, x], where there is no CRS; what the file says by default"
    )
    mpp: Positive | None = Field(None, description="of kind slide: µm per px that the network sees")
    level: Annotated[int, Field(ge=0)] | None = Field(
        None, description="of kind slide: the level that is read, as it is stored; 0 by default"
    )

    variable: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="of kind zarr: path of the array in its file, or a list of those that are bands"
    )
    select: dict[str, SelectValue] | None = Field(
        None,
        description="of kinds raster, slide and zarr: by dimension (page, channel, z, time, well …) the label or place "
        "that is read, a list of those that are bands, or max or mean of all",
    )
    axes: str | Annotated[list[str], Field(min_length=2)] | None = Field(
        None,
        description="of kinds raster, slide and zarr: names of the dimensions in order, such as [time, y, x, band] or "
        "tyxc",
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
        if isinstance(self.path, SearchConfig):
            return self.path.place
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

    @model_validator(mode="before")
    @classmethod
    def _default_of_mpp(cls, values: Any) -> Any:
        """Average by default where pixels of a slide become coarser, since it passes over none."""
        if not isinstance(values, dict):
            return values
        default = {"resampling": "average"} if values.get("mpp") is not None else {}
        return {**default, **values}

    @field_validator("path", mode="before")
    @classmethod
    def _fitting_path(cls, path: object, info: ValidationInfo) -> object:
        forms = facts_of(info.data.get("kind", "raster")).forms
        if isinstance(path, list) and list not in forms:
            kind = info.data.get("kind")
            raise ValueError(f"several files are no source of kind {kind}; {one_raster([str(name) for name in path])}")
        if isinstance(path, dict) and info.data.get("kind") == "stac":
            return search_of(path)
        if isinstance(path, dict) and dict not in forms:
            raise ValueError("a file for each name is a source of kind: bands; add that beside path")
        if forms == (list,) and not (isinstance(path, list) and path):
            raise ValueError(
                "a stack is a list of sources, such as [2019.tif, 2024.tif]; list them, or give another kind"
            )
        return {str(name): file for name, file in path.items()} if isinstance(path, dict) else path

    @field_validator("as_", mode="before")
    @classmethod
    def _one_store(cls, value: object) -> object:
        if value == "scenes":
            raise ValueError(
                "a store for each scene is not made by one command yet; give mosaic, or run each item by itself"
            )
        return value

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
        for name, field in type(self).model_fields.items():
            key = field.alias or name
            kinds = kinds_with(key)
            if kinds and self.kind not in kinds and getattr(self, name) != field.default:
                raise ValueError(f"{key} is a key of kind: {' or '.join(kinds)}; leave it out, or give that kind")
        return self

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.mpp is not None and self.level is not None:
            raise ValueError(
                f"mpp is {self.mpp:g} and level is {self.level}, which both choose the pixels; give one of them"
            )
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
        plain = self.grid is None and self.mpp is None and not facts_of(self.kind).resamples
        if plain and "resampling" in self.model_fields_set and self.resampling != "bilinear":
            raise ValueError(
                f"resampling is {self.resampling}, but no grid is given, so that nothing is resampled; give "
                f"source.grid, or mpp with kind: slide"
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
