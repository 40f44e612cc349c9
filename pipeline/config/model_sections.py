"""Classes of the mask, what a network is given, and what it returns."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.class_map import ClassMap
from pipeline.config.normalise import NormaliseConfig, contradiction
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
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="logits are divided by it before the activation: above 1 for a network that is too sure"
    )

    map: ClassMap | None = Field(
        None,
        description="classes of the store, each by its channels of the network, from 0, or by their names: "
        "{forest: [1, 2], other: rest}; probabilities are added up",
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
        if self.map is not None and (self.multilabel or self.activation == "sigmoid"):
            raise ValueError(
                "map adds up probabilities of classes that exclude each other; those of a sigmoid hold side by side, "
                "and their sum is no probability. Leave map out, or multilabel and sigmoid"
            )
        return self
