"""``model.input.normalise``: numbers of the raster itself that bring its pixels to a common range."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.stains import TARGETS, StainNumbers, contradiction_of_stains
from pipeline.config.values import ConfigSection, PerBand

DEFAULT_PERCENTILES = (2.0, 98.0)
"""Of method ``percentile``, in percent."""
_PARTS = ("tile", "window", "block", "chunk", "patch", "chip")
"""What other tools take the numbers of."""


class NormaliseConfig(ConfigSection):
    """(x − low) / (high − low), (x − mean) / std, or other colours, by numbers of the raster itself, at first."""

    method: Literal["fixed", "percentile", "minmax", "standardise", "macenko", "reinhard"]
    over: Literal["raster", "aoi", "tissue"] = Field(
        "raster", description="valid pixels that are looked at: all, those of source.aoi, or those of source.only"
    )
    channels: Literal["each", "joint"] = Field(
        "each", description="numbers for each band, or the same numbers for all bands, from the pixels of all"
    )
    low: PerBand | None = Field(
        None, description="becomes 0: of fixed a raw value, or one per band; of percentile a percentage, 2 by default"
    )
    high: PerBand | None = Field(None, description="becomes 1: likewise, 98 by default")
    clip: bool = Field(False, description="whether values beyond 0 and 1 become 0 and 1")
    resolution: Literal["full", "overview"] = Field(
        "full", description="every pixel, or those of the file's finest overview of at most 16 MiB, which is not exact"
    )
    stain: StainNumbers | None = Field(
        None, description="of macenko and reinhard: numbers of this slide; found on its tissue by default"
    )
    target: StainNumbers | None = Field(
        None, description="of macenko and reinhard: numbers that slides are brought to; a common reference by default"
    )

    @field_validator("over", mode="before")
    @classmethod
    def _whole(cls, over: object) -> object:
        if isinstance(over, str) and over.removeprefix("per_") in _PARTS:
            raise ValueError(
                f"numbers of each {over.removeprefix('per_')} would make seams, since the same ground gets other "
                f"values in the next one, and the result depends on the size of tiles. Give raster, aoi or tissue"
            )
        return over

    @model_validator(mode="after")
    def _consistent(self) -> NormaliseConfig:
        if reason := contradiction_of_stains(self.method, self.model_fields_set, self.stain, self.target):
            raise ValueError(reason)
        if self.method in TARGETS:
            return self
        if self.method == "fixed":
            self._check_fixed()
        elif self.method == "percentile":
            self._check_percentages()
        elif self.low is not None or self.high is not None:
            raise ValueError(
                f"{self.method} finds its own numbers, and low or high is given. Leave them out, or give method: fixed"
            )
        if self.method == "standardise" and self.clip:
            raise ValueError("clip is for values from 0 to 1, and standardise has no such range. Leave clip out")
        if self.resolution == "overview" and self.over != "raster":
            raise ValueError(f"over: {self.over} needs resolution: full: an area is cut at pixels of the raster")
        return self

    @property
    def percentages(self) -> tuple[float, float]:
        """Of method ``percentile``: those that become 0 and 1."""
        low, high = (
            default if isinstance(value, list | None) else value
            for value, default in zip((self.low, self.high), DEFAULT_PERCENTILES, strict=True)
        )
        return low, high

    def _check_fixed(self) -> None:
        if self.low is None or self.high is None:
            raise ValueError("fixed needs low and high: the raw values that become 0 and 1, each a number or a list")
        given = {"over", "channels", "resolution"} & self.model_fields_set
        if given:
            raise ValueError(f"fixed looks at no pixel, so that {', '.join(sorted(given))} means nothing. Leave it out")
        lows, highs = _listed(self.low), _listed(self.high)
        count = max(len(lows), len(highs))
        if {len(lows), len(highs)} - {1, count} or not count:
            raise ValueError(f"low has {len(lows)} values and high has {len(highs)}. Give one number, or one per band")
        pairs = list(zip(lows * (count // len(lows)), highs * (count // len(highs)), strict=True))
        wrong = [pair for pair in pairs if not (all(map(math.isfinite, pair)) and pair[0] < pair[1])]
        if wrong:
            raise ValueError(f"low {wrong[0][0]:g} is not below high {wrong[0][1]:g}. Give finite numbers, low first")

    def _check_percentages(self) -> None:
        if isinstance(self.low, list) or isinstance(self.high, list):
            raise ValueError("percentile takes one low and one high for all bands, in percent")
        low, high = self.percentages
        if not 0 <= low < high <= 100:
            raise ValueError(f"low is {low:g} and high is {high:g}. Give percentages from 0 to 100, low first")


def contradiction(normalise: NormaliseConfig, others: dict[str, PerBand]) -> str | None:
    """Why other keys of ``model.input`` cannot be meant beside ``normalise``; None where they can.

    Parameters
    ----------
    normalise
        As it is given.
    others
        Values of scale, offset, mean and std that the config gives.
    """
    if normalise.method in TARGETS:
        return None  # colours stay numbers from 0 to 255
    neutral = {"scale": 1, "offset": 0, "mean": 0, "std": 1}
    changing = [name for name, value in others.items() if any(one != neutral[name] for one in _listed(value))]
    if raw := [name for name in changing if name in ("scale", "offset") or normalise.method == "standardise"]:
        return (
            f"{' and '.join(raw)} would change what normalise has brought to its range already: "
            f"{normalise.method} finds its numbers in raw pixels. Leave out {' and '.join(raw)}, or normalise"
        )
    beyond = [value for value in _listed(others.get("mean", 0.0)) if not 0 <= value <= 1]
    if beyond:
        return (
            f"mean is {beyond[0]:g}, but normalise brings raw values to 0…1 first, and mean and std are of the result. "
            f"Give the mean of values between 0 and 1, or leave out mean and std, or normalise"
        )
    return None


def _listed(value: PerBand) -> list[float]:
    return value if isinstance(value, list) else [value]
