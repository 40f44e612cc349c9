"""The network: what it is, what it takes and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_serializer,
    field_validator,
    model_validator,
)

from pipeline.config.families import MODEL_KINDS, OneOf
from pipeline.config.hub_address import HUB_SCHEME
from pipeline.config.inputs import OF_ONE_INPUT, InputBands, NetworkInputConfig
from pipeline.config.members import MemberConfig, PathOrList, listed_members, merged_sections
from pipeline.config.model_sections import ClassConfig, InputConfig, ModelOutputConfig
from pipeline.config.network_file import located_file
from pipeline.config.package_files import PACKAGE_SCHEME
from pipeline.config.values import ConfigSection


class ModelConfig(ConfigSection):
    """The network and what its classes mean."""

    kind: Annotated[str, OneOf(MODEL_KINDS)] | None = Field(None, description="a file of ours says its own kind")
    path: Annotated[Path | None, BeforeValidator(located_file), PathOrList()] = Field(
        None,
        description="the weights or the whole network: a file, package://module/file of an installed package, "
        "hf://owner/repository/file@revision of a model repository, or a model description: of bioimage.io (folder, "
        "rdf.yaml or zip), of MLM (STAC item, or pt2 with its metadata), a MONAI bundle (folder, zip, or TorchScript "
        "file with its metadata), or a folder of save_pretrained; a list of several is an ensemble",
    )
    factory: str | None = Field(
        None,
        description="package.module:callable or file.py:callable, for kinds python and classifier; its code "
        "is executed",
    )
    arch: str | None = Field(
        None,
        description="architecture of segmentation_models_pytorch, such as Unet, for kind smp; of transformers, such as "
        "SegformerForSemanticSegmentation, for kind transformers",
    )
    args: dict[str, Any] = Field({}, description="arguments of the factory or hyperparameters")
    trust: bool = Field(
        False,
        description="run code that a description brings or names: architectures, expressions, compiled libraries; "
        "stores and frozen plans do not keep it",
    )
    classes: Annotated[list[ClassConfig], Field(min_length=1)] | None = None
    channels: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="names of what the network returns, for the layer values"
    )
    input: InputConfig | None = None
    inputs: dict[str, NetworkInputConfig] = Field(
        {}, description="of a network of several inputs: the source of each, by the name of the input"
    )
    output: ModelOutputConfig = ModelOutputConfig()

    _address: str | None = PrivateAttr(None)
    """``package://…`` or ``hf://…``, where the path was given so: that holds on other machines too."""
    _members: tuple[Member, ...] = PrivateAttr(())
    """The networks of a list at ``path``, which is None then; empty where one is named."""
    _stated_channels: int | None = PrivateAttr(None)
    _described: tuple[str, ...] = PrivateAttr(())
    """What was taken from a description at ``path``, a sentence each; empty before anything was."""
    _input_bands: tuple[InputBands, ...] = PrivateAttr(())
    """Inputs of the network in the order of the bands, once their sources are open; empty of a network of one."""

    @property
    def described(self) -> tuple[str, ...]:
        """What was taken from the description at ``path``, a sentence each."""
        return self._described

    def key_with_origin(self, key: str) -> str:
        """A key for messages; of one that the config does not have, with the description that states its value."""
        is_stated = any(sentence.startswith(f"{key}: ") for sentence in self._described)
        return f"{key}, which {self.place} states," if is_stated else key

    @property
    def stated_channels(self) -> int | None:
        """What the description says that the network returns; None where it does not, or there is none."""
        return self._stated_channels

    def filled(self, values: dict[str, Any], sentences: tuple[str, ...], channels: int | None = None) -> Self:
        """The same with values of its description, which ``sentences`` tell, and what it says that is returned."""
        model = self.model_copy(update=values)
        model._described = sentences
        model._stated_channels = channels
        return model

    @property
    def input_bands(self) -> tuple[InputBands, ...]:
        """Inputs of the network in the order of the bands, once their sources are open; empty of a network of one."""
        return self._input_bands

    def with_input_bands(self, inputs: tuple[InputBands, ...]) -> Self:
        """The same network with the bands of each of its inputs."""
        model = self.model_copy()
        model._input_bands = inputs
        return model

    @model_validator(mode="wrap")
    @classmethod
    def _with_address(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        listed = values.get("path") if isinstance(values, dict) else None
        if isinstance(listed, list):
            return cls._of_list(values, listed, validate)
        model = validate(values)
        address = values.get("path") if isinstance(values, dict) else None
        if isinstance(address, str) and address.startswith((PACKAGE_SCHEME, HUB_SCHEME)):
            model._address = address
        return model

    @classmethod
    def _of_list(cls, values: dict[str, Any], listed: list[Any], validate: ModelWrapValidatorHandler[Self]) -> Self:
        """A model of which ``path`` is a list; one network in a list is that network."""
        entries = listed_members(listed)
        models = [cls.model_validate(one) for one in merged_sections(values, listed)]
        if len(models) == 1:
            return models[0]
        members = (
            Member(model=model, entry=entry, weight=entry.weight) for model, entry in zip(models, entries, strict=True)
        )
        return validate({**values, "path": None}).with_members(tuple(members))

    @property
    def address(self) -> str | None:
        """``package://…`` or ``hf://…``, where the path was given so; None of a file."""
        return self._address

    @property
    def place(self) -> str:
        """What the network is loaded from, in words: its address, its file, or its factory; of several, each."""
        if self._members:
            return ", ".join(member.model.place for member in self._members)
        return str(self._address or self.path or self.factory)

    @property
    def members(self) -> tuple[Member, ...]:
        """The networks of an ensemble; empty where one network is named."""
        return self._members

    def with_members(self, members: tuple[Member, ...]) -> Self:
        """The same with other networks in the place of ``path``."""
        model = self.model_copy()
        model._members = members
        return model

    def located(self, path: Path, address: str) -> Self:
        """The same network with the file of this machine to which an address leads."""
        model = self.model_copy(update={"path": path})
        model._address = address
        return model

    @field_serializer("path")
    def _as_given(self, path: Path | None) -> Path | str | list[Any] | None:
        if self._members:
            return [member.as_given() for member in self._members]
        return path if self._address is None else self._address

    @model_validator(mode="after")
    def _numbers_of_each_input(self) -> Self:
        keys = [key for key in OF_ONE_INPUT if self.inputs and getattr(self.input, key, None) is not None]
        if keys:
            raise ValueError(
                f"input.{keys[0]} is of networks of one input, and inputs names several; give scale, offset, mean and "
                f"std in the section input of each, and let the network do the rest"
            )
        return self

    @field_validator("channels")
    @classmethod
    def _channels(cls, channels: list[str] | None) -> list[str] | None:
        if channels is not None and (len(set(channels)) < len(channels) or not all(map(str.strip, channels))):
            raise ValueError("give each channel a name of its own")
        return channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One network of an ensemble, or one whose classes are added up."""

    model: ModelConfig
    """As if it were alone, of what all share and its own entry."""
    weight: float = 1.0
    entry: MemberConfig | None = None
    """As it was given; None of a network that stands in no list."""
    first_band: int = 0
    """Where its bands begin in the input, whose bands are there once for each normalisation."""
    bands: int | None = None
    """How many they are; None for all."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Channels of each class of ``model.output.map``, once the network was looked at; empty without a map."""

    def as_given(self) -> str | dict[str, Any]:
        """Plain values for a config: the file alone where the entry named no more."""
        if self.entry is None:
            return self.model.place
        values = self.entry.model_dump(mode="json", exclude_unset=True)
        if self.model.path is None:
            return values
        place = self.model.place
        return place if set(values) == {"path"} else {**values, "path": place}
