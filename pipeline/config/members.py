"""Networks of a list at ``model.path``: an ensemble, each with the keys of ``model`` but for what it names itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from pipeline.config.families import MODEL_KINDS, OneOf
from pipeline.config.model_sections import InputConfig
from pipeline.config.network_file import located_file
from pipeline.config.values import ConfigSection

SECTIONS = ("input", "output")
"""Keys of ``model`` of which a network of several may change some and share the rest."""


class MemberOutputConfig(ConfigSection):
    """What one network of several returns, where it is otherwise than ``model.output`` says."""

    key: str = Field("auto", description="as model.output.key")
    activation: Literal["auto", "none", "softmax", "sigmoid"] = Field("auto", description="as model.output.activation")
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="as model.output.temperature"
    )

    @field_validator("key", mode="before")
    @classmethod
    def _text(cls, key: object) -> object:
        return str(key) if type(key) is int else key


class MemberConfig(ConfigSection):
    """One network of several: its file, and what of ``model`` is otherwise for it."""

    path: Annotated[Path | None, BeforeValidator(located_file)] = Field(None, description="as model.path, of one")
    kind: Annotated[str, OneOf(MODEL_KINDS)] | None = Field(None, description="as model.kind")
    factory: str | None = Field(None, description="as model.factory; its code is executed")
    arch: str | None = Field(None, description="as model.arch")
    args: dict[str, Any] = Field({}, description="as model.args, in whose place they are")
    input: InputConfig | None = Field(None, description="as model.input, key by key")
    output: MemberOutputConfig | None = Field(None, description="as model.output, key by key")
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="share of the mean, of the sum of all weights"
    )

    @model_validator(mode="after")
    def _has_network(self) -> MemberConfig:
        if self.path is None and self.factory is None:
            raise ValueError("it names no network; give path, or factory")
        return self


class ListedMembers(ConfigSection):
    """A list at ``model.path``, checked by itself so that messages name the place in it."""

    path: Annotated[list[MemberConfig], Field(min_length=1)]

    @field_validator("path", mode="before")
    @classmethod
    def _sections(cls, listed: list[Any]) -> list[Any]:
        """A file alone as a section."""
        return [{"path": entry} if isinstance(entry, str | Path) else entry for entry in listed]


@dataclass(frozen=True, slots=True)
class PathOrList:
    """Annotation of a path in whose place a list of networks may be given, for the JSON schema."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the list to what else may be given."""
        one, listed = handler(schema), handler(TypeAdapter(list[str | MemberConfig]).core_schema)
        return {**one, "anyOf": [*one["anyOf"], {**listed, "minItems": 1}]}


def listed_members(listed: list[Any]) -> list[MemberConfig]:
    """The entries of a list. Raises ValidationError or ValueError where one is wrong, or two are the same."""
    entries = ListedMembers.model_validate({"path": listed}).path
    for number, entry in enumerate(entries):
        for other in entries[:number]:
            if entry.model_copy(update={"weight": 1.0}) == other.model_copy(update={"weight": 1.0}):
                raise ValueError(
                    f"{entry.path or entry.factory} is listed twice, which adds nothing to a mean but its weight; list "
                    f"it once, with weight: {other.weight + entry.weight:g}"
                )
    return entries


def merged_sections(values: dict[str, Any], listed: list[Any]) -> list[dict[str, Any]]:
    """The section ``model`` of each network alone: what all share, and its entry in the place of that.

    Of ``input`` and ``output`` key by key.
    """
    shared = {name: _plain(value) if name in SECTIONS else value for name, value in values.items()}
    entries = (_plain(entry) if isinstance(entry, dict | MemberConfig) else {"path": entry} for entry in listed)
    return [_merged({**shared, "path": None}, entry) for entry in entries]


def _merged(shared: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    sections = {name: _plain(value) if name in SECTIONS else value for name, value in entry.items() if name != "weight"}
    for name in SECTIONS:
        if isinstance(sections.get(name), dict) and isinstance(shared.get(name), dict):
            sections[name] = {**shared[name], **sections[name]}
    return {**shared, **sections}


def _plain(section: Any) -> Any:
    """Keys and values of a section that a program made; anything else as it is."""
    if not isinstance(section, BaseModel):
        return section
    return {name: getattr(section, name) for name in section.model_fields_set}
