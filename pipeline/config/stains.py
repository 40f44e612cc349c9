"""Numbers of the stains of a slide, as ``model.input.normalise`` takes them."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from pipeline.config.values import ConfigSection


def _finite(values: list[float]) -> list[float]:
    if not all(map(math.isfinite, values)):
        raise ValueError("numbers of stains are finite")
    return values


def _positive(values: list[float]) -> list[float]:
    if not all(value > 0 for value in _finite(values)):
        raise ValueError("these numbers are above 0")
    return values


Triple = Annotated[list[float], Field(min_length=3, max_length=3), AfterValidator(_finite)]
PositiveTriple = Annotated[list[float], Field(min_length=3, max_length=3), AfterValidator(_positive)]


class MacenkoNumbers(ConfigSection):
    """Two stains: how they absorb red, green and blue, and how much of each there is."""

    vectors: Annotated[list[Triple], Field(min_length=2, max_length=2)] = Field(
        description="optical density of red, green and blue, of haematoxylin and then of eosin"
    )
    maxima: Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_positive)] = Field(
        description="99th percentile of the concentration of each"
    )


class ReinhardNumbers(ConfigSection):
    """Mean and deviation of colours in Ruderman's lαβ, of natural logarithms of 0 to 255."""

    mean: Triple = Field(description="of l, α and β")
    std: PositiveTriple = Field(description="of l, α and β")


def _tag(numbers: object) -> str:
    """Which of both is meant; words in brackets are no keys for messages."""
    keys = numbers if isinstance(numbers, dict) else {}
    return "[reinhard]" if isinstance(numbers, ReinhardNumbers) or {"mean", "std"} & {*keys} else "[macenko]"


StainNumbers = Annotated[
    Annotated[MacenkoNumbers, Tag("[macenko]")] | Annotated[ReinhardNumbers, Tag("[reinhard]")], Discriminator(_tag)
]
NUMBERS_OF: dict[str, type[MacenkoNumbers | ReinhardNumbers]] = {"macenko": MacenkoNumbers, "reinhard": ReinhardNumbers}
"""By ``model.input.normalise.method``."""
TARGETS: dict[str, MacenkoNumbers | ReinhardNumbers] = {
    # https://github.com/mitkovetta/staining-normalization
    "macenko": MacenkoNumbers(vectors=[[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]], maxima=[1.9705, 1.0308]),
    # https://digitalslidearchive.github.io/HistomicsTK
    "reinhard": ReinhardNumbers(mean=[8.63234435, -0.11501964, 0.03868433], std=[0.57506023, 0.10403329, 0.01364062]),
}
"""What slides are brought to unless a config says otherwise: the references of two programs that are much used."""


def contradiction_of_stains(method: str, given: set[str], stain: object, target: object) -> str | None:
    """Why keys of ``normalise`` cannot be meant together; None where they can.

    Parameters
    ----------
    method
        ``model.input.normalise.method``.
    given
        Keys that the config names.
    stain, target
        Values of these keys.
    """
    numbers = NUMBERS_OF.get(method)
    if numbers is None:
        named = sorted(given & {"stain", "target"})
        return (
            f"{' and '.join(named)} is of macenko and reinhard, and method is {method}. Leave it out" if named else None
        )
    if unused := sorted(given & {"channels", "low", "high", "clip", "resolution"}):
        return f"{method} brings colours to other colours, so that {', '.join(unused)} means nothing. Leave it out"
    if stain is not None and "over" in given:
        return "stain gives the numbers of the slide, so that over has nothing to look at. Leave one of them out"
    for key, value in (("stain", stain), ("target", target)):
        if value is not None and not isinstance(value, numbers):
            return f"{key} of {method} holds {' and '.join(numbers.model_fields)}. Give these"
    return None
