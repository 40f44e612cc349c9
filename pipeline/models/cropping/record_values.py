"""A record in plain values, as files of records have it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.models.cropping.axes import AxisRule, Enlarged, Padded, Pixelwise, Sliding, Transposed
from pipeline.models.cropping.movement import Movement
from pipeline.models.cropping.steps import ImageStep, Place, Record

AXIS_RULES = {rule.__name__: rule for rule in (Pixelwise, Sliding, Transposed, Enlarged, Padded)}


def values_of_record(record: Record) -> dict[str, Any]:
    """Values that JSON takes."""
    steps = [None if step is None else _values_of_step(step) for step in record.steps]
    return {"steps": steps, "output": record.output, "size": record.size}


def record_of_values(values: Mapping[str, Any]) -> Record:
    """The record of such values; raises KeyError, TypeError or ValueError where they are another version's."""
    steps = tuple(None if step is None else _step_of_values(step) for step in values["steps"])
    rows, cols = values["size"]
    return Record(steps=steps, output=values["output"], size=(rows, cols))


def _values_of_step(step: ImageStep) -> dict[str, Any]:
    rules = {axis: _values_of_rule(getattr(step.movement, axis)) for axis in ("rows", "cols")}
    return {**asdict(step), "movement": {**asdict(step.movement), **rules}}


def _values_of_rule(rule: Any) -> list[Any]:
    return [type(rule).__name__, asdict(rule)]


def _step_of_values(values: Mapping[str, Any]) -> ImageStep:
    movement, sized = values["movement"], values["sized"]
    rules = {axis: _rule_of_values(*movement[axis]) for axis in ("rows", "cols")}
    changed = {
        "movement": Movement(**{**movement, **rules, "inputs": tuple(movement["inputs"])}),
        "inputs": tuple((Place(**place), image) for place, image in values["inputs"]),
        "sized": None if sized is None else Place(**sized),
        "freed": tuple(values["freed"]),
    }
    return ImageStep(**{**values, **changed})


def _rule_of_values(name: str, numbers: Mapping[str, int]) -> AxisRule:
    rule: AxisRule = AXIS_RULES[name](**numbers)
    return rule
