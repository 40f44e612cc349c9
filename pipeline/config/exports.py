"""The files that a run writes beside its store for other programs."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from pipeline.config.families import EXPORT_KINDS, OneOf
from pipeline.config.values import Auto, ConfigSection
from pipeline.locations import Place, parse_place

FilePlace = Annotated[
    Place,
    PlainValidator(parse_place),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "path"}),
]


class ExportConfig(ConfigSection):
    """One file."""

    to: Annotated[str, OneOf(EXPORT_KINDS)]
    layer: str | None = Field(None, description="by default the one that a run is for: mask")
    out: FilePlace | None = Field(None, description="by default beside the store, by the store's name and the layer's")
    name: str | None = Field(None, description="of image-labels, whose out is the image: by default the store's name")

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if self.name is not None and self.to != "image-labels":
            raise ValueError(f"name is of image-labels alone, and {self.to} is a file. Give out in its place.")
        return self


def _named(value: Any) -> Any:
    """A section for a name alone."""
    return {"to": value} if isinstance(value, str) else value


Exports = Auto | list[Annotated[ExportConfig, BeforeValidator(_named)]]
"""``auto`` is a COG of the layer that a run is for."""
