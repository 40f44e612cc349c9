"""The network: what it is, what it takes and what it returns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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
from pipeline.config.hub_address import HUB_SCHEME, hub_file
from pipeline.config.normalise import NormaliseConfig, contradiction
from pipeline.config.package_files import PACKAGE_SCHEME, package_file
from pipeline.config.values import ConfigSection, Count, PerBand


class ClassConfig(ConfigSection):
    """One class of the mask."""

    name: str
    color: str | None = Field(None, description="'#rrggbb', quoted")
    code: Annotated[int, Field(ge=0, le=65534)] | None = Field(
        None, description="value in the mask; its place in the list by default"
    )
    role: Literal["background", "ignore"] | None = None

    @field_validator("color")
    @classmethod
    def _color(cls, color: str | None) -> str:
        if color is None:
            raise ValueError("an unquoted # begins a comment in YAML; write '#2b83ba', with quotes")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            raise ValueError(f"{color!r} is no colour; write '#2b83ba', quoted")
        return color


class InputConfig(ConfigSection):
    """Normalisation: (raw·scale + offset − mean) / std, each a number or one per band.

    Of what the transform returns, where there is one, and of what ``normalise`` makes of that.
    """

    scale: PerBand = 1.0
    offset: PerBand = 0.0
    mean: PerBand = 0.0
    std: PerBand = 1.0
    transform: str | None = Field(
        None,
        description="file.py:callable or package.module:callable that changes raw pixels (bands, rows, "
        "cols) before all else, each by itself; "
        "its code is executed",
    )
    normalise: NormaliseConfig | None = Field(
        None, description="numbers of the raster itself, applied after the transform and before all else"
    )
    size: Count | None = Field(None, description="training size, px: the tile size of networks that are not local")

    @model_validator(mode="after")
    def _compatible(self) -> InputConfig:
        given = {name: getattr(self, name) for name in ("scale", "offset", "mean", "std")}
        if self.normalise is not None and (reason := contradiction(self.normalise, given)) is not None:
            raise ValueError(reason)
        return self


class ModelOutputConfig(ConfigSection):
    """What the network returns."""

    key: str = Field("auto", description="entry of a dict, or place in a tuple from 0, that holds the logits")
    activation: Literal["auto", "none", "softmax", "sigmoid"] = Field(
        "auto", description="what turns what it returns into probabilities; none where the network already did"
    )
    multilabel: bool = Field(
        False,
        description="each channel is a class of its own, by a sigmoid; the mask is the likeliest that "
        "reaches the threshold",
    )
    threshold: float | Annotated[list[float], Field(min_length=1)] = Field(
        0.5,
        description="between 0 and 1; of one logit's sigmoid, or several that cut it into as many classes "
        "and one more; "
        "where multilabel, of each channel's, or one per channel",
    )

    @field_validator("key", mode="before")
    @classmethod
    def _key(cls, key: object) -> object:
        return str(key) if type(key) is int else key

    @field_validator("threshold")
    @classmethod
    def _probability(cls, threshold: float | list[float]) -> float | list[float]:
        if not all(0 < value < 1 for value in (threshold if isinstance(threshold, list) else [threshold])):
            raise ValueError("a threshold is a probability, above 0 and below 1")
        return threshold

    @model_validator(mode="after")
    def _independent(self) -> ModelOutputConfig:
        if self.multilabel and self.activation == "softmax":
            raise ValueError(
                "multilabel needs activation sigmoid, or none where the network ends in one; a softmax lets "
                "one class win over the others"
            )
        return self


def _located(path: object) -> object:
    """The file of an address in a package; any other path as it is.

    Of an address of a model repository the form is checked; `models.hub` fetches the file once a job needs it.
    """
    if isinstance(path, str) and path.startswith(HUB_SCHEME):
        hub_file(path)
    return package_file(path) if isinstance(path, str) and path.startswith(PACKAGE_SCHEME) else path


class ModelConfig(ConfigSection):
    """The network and what its classes mean."""

    kind: Annotated[str, OneOf(MODEL_KINDS)] | None = Field(None, description="a file of ours says its own kind")
    path: Annotated[Path | None, BeforeValidator(_located)] = Field(
        None,
        description="the weights or the whole network: a file, package://module/file of an installed package, "
        "hf://owner/repository/file@revision of a model repository, or a model description: of bioimage.io (folder, "
        "rdf.yaml or zip), a MONAI bundle (folder, zip, or TorchScript file with its metadata), or a folder of "
        "save_pretrained",
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
    output: ModelOutputConfig = ModelOutputConfig()

    _address: str | None = PrivateAttr(None)
    """``package://…`` or ``hf://…``, where the path was given so: that holds on other machines too."""
    _described: tuple[str, ...] = PrivateAttr(())
    """What was taken from a description at ``path``, a sentence each; empty before anything was."""

    @property
    def described(self) -> tuple[str, ...]:
        """What was taken from the description at ``path``, a sentence each."""
        return self._described

    def filled(self, values: dict[str, Any], sentences: tuple[str, ...]) -> Self:
        """The same with values of its description, which ``sentences`` tell."""
        model = self.model_copy(update=values)
        model._described = sentences
        return model

    @model_validator(mode="wrap")
    @classmethod
    def _with_address(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        model = validate(values)
        address = values.get("path") if isinstance(values, dict) else None
        if isinstance(address, str) and address.startswith((PACKAGE_SCHEME, HUB_SCHEME)):
            model._address = address
        return model

    @property
    def address(self) -> str | None:
        """``package://…`` or ``hf://…``, where the path was given so; None of a file."""
        return self._address

    @property
    def place(self) -> str:
        """What the network is loaded from, in words: its address, its file, or its factory."""
        return str(self._address or self.path or self.factory)

    def located(self, path: Path, address: str) -> Self:
        """The same network with the file of this machine to which an address leads."""
        model = self.model_copy(update={"path": path})
        model._address = address
        return model

    @field_serializer("path")
    def _as_given(self, path: Path | None) -> Path | str | None:
        return path if self._address is None else self._address

    @field_validator("channels")
    @classmethod
    def _channels(cls, channels: list[str] | None) -> list[str] | None:
        if channels is not None and (len(set(channels)) < len(channels) or not all(map(str.strip, channels))):
            raise ValueError("give each channel a name of its own")
        return channels
