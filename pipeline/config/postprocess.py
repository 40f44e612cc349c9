"""Steps that make the layer ``cleaned`` of a mask."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.config.values import ConfigSection

SizeUnit = Literal["m2", "um2", "px"]
MAX_REACH = 500
"""Largest reach of a window beyond its centre, px: it is read around every block."""
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*(m2|um2|px)\s*", re.IGNORECASE)


def parse_size(text: str) -> tuple[float, SizeUnit]:
    """``100 m2``, ``10 um2`` or ``20 px`` → number and unit. Raises ValueError."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not float(match[1]) > 0:
        raise ValueError("give a size above 0 with its unit, such as 100 m2, 10 um2 or 20 px")
    return float(match[1]), cast(SizeUnit, match[2].lower())


def _size(text: Any) -> Any:
    parse_size(text)
    return text


def _side(value: Any) -> Any:
    if type(value) is not int or not 3 <= value <= 2 * MAX_REACH + 1 or value % 2 == 0:
        raise ValueError(f"give the side of the window, an odd number of px from 3 to {2 * MAX_REACH + 1}")
    return value


def _radius(value: Any) -> Any:
    if type(value) is not int or not 1 <= value <= MAX_REACH:
        raise ValueError(f"give a radius from 1 to {MAX_REACH} px; the square has a side of 2 × radius + 1 px")
    return value


StepSize = Annotated[str, BeforeValidator(_size)]
WindowSide = Annotated[int, BeforeValidator(_side)]
WindowRadius = Annotated[int, BeforeValidator(_radius)]


class StepConfig(ConfigSection):
    """One step, such as {sieve: 20 px}: exactly one operation."""

    remove_small: StepSize | None = Field(
        None, description="components below the size become the class of role background: 100 m2, 10 um2 or 20 px"
    )
    sieve: StepSize | None = Field(
        None, description="components below the size become the class of the neighbour with the longest shared border"
    )
    fill_holes: StepSize | None = Field(
        None, description="components below the size that one class encloses become that class"
    )
    majority: WindowSide | None = Field(
        None, description="side of the window, px, odd: the class of most of its pixels"
    )
    open: WindowRadius | None = Field(None, description="radius of the square, px: what is narrower becomes background")
    close: WindowRadius | None = Field(None, description="radius of the square, px: what is narrower between is filled")
    classes: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="of open and close: names of the classes, in order; by default that of model.classes"
    )

    @property
    def operation(self) -> str:
        """The name of the operation."""
        return next(name for name in _operations() if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one(self) -> StepConfig:
        given = [name for name in _operations() if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(_operations())}, such as {{sieve: 20 px}}")
        if self.classes is not None and given[0] not in ("open", "close"):
            raise ValueError(f"{given[0]} works on all classes at once; leave classes out")
        return self

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the operations that it is not."""
        return {name: value for name, value in handler(self).items() if value is not None}


def _operations() -> list[str]:
    return [name for name in StepConfig.model_fields if name != "classes"]


def _steps(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise ValueError("give one step at least; without the key, a store keeps the layer cleaned that it has")
    return value


Postprocess = Annotated[list[StepConfig], BeforeValidator(_steps)]
"""Steps in order, each from what the one before made."""
