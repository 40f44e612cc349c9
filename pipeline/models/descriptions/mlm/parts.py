"""Parts of an MLM description with checked values: the model, its inputs, outputs and assets."""

from __future__ import annotations

import math
from collections.abc import Set
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BeforeValidator, Field, field_validator, model_validator

from pipeline.models.descriptions.parts import DocumentPart

VARYING = -1
"""Size of an axis that is not fixed."""
AXIS_LETTERS = {
    **dict.fromkeys(("batch", "batch_size", "b"), "b"),
    **dict.fromkeys(("channel", "channels", "band", "bands", "class", "classes", "c"), "c"),
    **dict.fromkeys(("height", "rows", "row", "y", "h"), "y"),
    **dict.fromkeys(("width", "cols", "columns", "col", "x", "w"), "x"),
    **dict.fromkeys(("depth", "z"), "z"),
    **dict.fromkeys(("time", "temporal", "t"), "t"),
}
"""Of names of axes; any other name is an ``i``."""
MODEL_ROLE = "mlm:model"


def _listed(value: object) -> object:
    """What may stand alone, in a list, or in a set of YAML, as a list."""
    if isinstance(value, Set):
        return sorted(map(str, value))
    return [] if value is None else value if isinstance(value, list | tuple) else [value]


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _digits(value: object) -> object:
    """A colour of digits alone, which YAML reads as a number where nothing quotes it."""
    return f"{value:06d}" if type(value) is int else value


class ExpressionPart(DocumentPart):
    """A step that is written in another language, or is a program."""

    format: str
    expression: Any

    @property
    def text(self) -> str:
        """For messages."""
        return f"{' '.join(str(self.expression).split())[:120]} ({self.format})"


Expressions = Annotated[tuple[ExpressionPart, ...], BeforeValidator(_listed)]


class StructurePart(DocumentPart):
    """Axes of a tensor."""

    shape: tuple[int, ...] = Field(min_length=1)
    dim_order: tuple[str, ...] = Field(min_length=1)
    data_type: str = "float32"

    @field_validator("shape")
    @classmethod
    def _sizes(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        if any(size != VARYING and size < 1 for size in shape):
            raise ValueError(f"shape {list(shape)} has a size that is neither above 0 nor -1, which stands for any")
        return shape

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.shape) != len(self.dim_order):
            raise ValueError(f"shape has {len(self.shape)} sizes, and dim_order names {len(self.dim_order)} axes")
        return self

    @property
    def letters(self) -> str:
        """The axes in order, such as ``bcyx``."""
        return "".join(AXIS_LETTERS.get(name.lower(), "i") for name in self.dim_order)

    def size(self, letter: str) -> int | None:
        """Of one axis; None where it varies, or is not there."""
        sizes = (size for size, axis in zip(self.shape, self.letters, strict=True) if axis == letter)
        return next((size for size in sizes if size != VARYING), None)


class BandPart(DocumentPart):
    """One band of an input, by name, or computed of others."""

    name: str
    format: str | None = None
    expression: Any = None


class ScalingPart(DocumentPart):
    """What is done to the numbers of one band, or of all."""

    type: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None
    value: float | None = None
    format: str | None = None
    expression: Any = None

    @field_validator("minimum", "maximum", "mean", "stddev", "value")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value} is no number that pixels can be scaled by")
        return value


class InputPart(DocumentPart):
    """One input of the network; fields that begin with ``norm`` and the statistics are of version 1.3 and before."""

    name: str = "input"
    bands: tuple[Annotated[BandPart, BeforeValidator(_named)], ...] | None = None
    input: StructurePart
    value_scaling: tuple[ScalingPart | None, ...] | None = Field(
        None, validation_alias=AliasChoices("value_scaling", "scaling")
    )
    norm_type: str | None = None
    norm_by_channel: bool | None = None
    norm_clip: Any = None
    statistics: tuple[ScalingPart, ...] | None = None
    resize_type: str | None = None
    pre_processing_function: Expressions = ()

    @model_validator(mode="before")
    @classmethod
    def _with_variables(cls, values: object) -> object:
        """Variables of a data cube are channels as bands are."""
        if isinstance(values, dict) and not values.get("bands") and values.get("variables"):
            return {**values, "bands": values["variables"]}
        return values

    @property
    def channels(self) -> int | None:
        """Bands that the network takes, where that is stated."""
        return self.input.size("c") or len(self.bands or ()) or None

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of the bands, in order; empty where there are none."""
        return tuple(band.name for band in self.bands or ())


class ClassPart(DocumentPart):
    """One class of the mask (https://github.com/stac-extensions/classification)."""

    value: int = Field(ge=0, le=65534)
    name: str | None = None
    title: str | None = None
    description: str | None = None
    color_hint: Annotated[str | None, BeforeValidator(_digits), Field(pattern="^#?[0-9A-Fa-f]{6}$")] = None
    nodata: bool = False

    @property
    def label(self) -> str:
        """What it is called."""
        return self.name or self.title or self.description or f"class {self.value}"

    @property
    def colour(self) -> str | None:
        """``#rrggbb``, or None."""
        return None if self.color_hint is None else f"#{self.color_hint.removeprefix('#').lower()}"


class OutputPart(DocumentPart):
    """One output of the network."""

    name: str = "output"
    tasks: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    result: StructurePart | None = None
    classes: tuple[ClassPart, ...] = Field(
        (), validation_alias=AliasChoices("classification:classes", "classification_classes", "classes")
    )
    post_processing_function: Expressions = ()

    @field_validator("classes", mode="before")
    @classmethod
    def _none(cls, classes: object) -> object:
        return _listed(classes)

    @field_validator("classes")
    @classmethod
    def _unlike(cls, classes: tuple[ClassPart, ...]) -> tuple[ClassPart, ...]:
        values = [part.value for part in classes]
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"two classes have the value {twice[0]}, and a pixel can be of one alone")
        return classes

    @property
    def channels(self) -> int | None:
        """That the network returns, where that is stated."""
        return None if self.result is None else self.result.size("c")


class PropertiesPart(DocumentPart):
    """The model as a whole."""

    name: str = "a model without a name"
    architecture: str = "an architecture that is not named"
    tasks: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    framework: str | None = None
    input: tuple[InputPart, ...] = Field(min_length=1)
    output: tuple[OutputPart, ...] = Field(min_length=1)


class ResolutionPart(DocumentPart):
    """A band as STAC has it, of which the resolution is read, m."""

    name: str | None = None
    common_name: str | None = Field(None, validation_alias=AliasChoices("eo:common_name", "common_name"))
    gsd: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        validation_alias=AliasChoices("gsd", "spatial_resolution", "raster:spatial_resolution"),
    )


class AssetPart(DocumentPart):
    """A file of a STAC item."""

    href: str
    roles: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    artifact_type: str | None = Field(None, validation_alias=AliasChoices("mlm:artifact_type"))
    entrypoint: str | None = Field(None, validation_alias=AliasChoices("mlm:entrypoint"))
    checksum: str | None = Field(None, validation_alias=AliasChoices("file:checksum"))

    @property
    def is_model(self) -> bool:
        """Whether it holds the network or its weights, and no source code."""
        return MODEL_ROLE in self.roles and not {"code", "mlm:source_code"} & set(self.roles)
