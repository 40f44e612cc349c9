"""Steps of postprocessing with nothing left open: sizes in a unit of the grid, classes by their codes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.config.postprocess import SizeUnit, StepConfig, parse_size
from pipeline.errors import ConfigError
from pipeline.geometry.areas import PixelAreas, pixel_areas
from pipeline.geometry.window import Window
from pipeline.store.spec import ClassRow, StoreSpec

_SQUARE_METRES = {"m2": 1.0, "um2": 1e-12}
_UNIT_TEXTS = {"m2": "m²", "um2": "µm²", "px": "px"}
_MOST_UNORDERED = 2
"""Classes that need no order: of more, the one that goes first decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeStep:
    """Components below a size get another class."""

    operation: Literal["remove_small", "sieve", "fill_holes"]
    size: float
    unit: SizeUnit
    """``px`` counts pixels; the others are the unit of the grid's areas."""
    pixels: float
    """About so many pixels: those in the middle of the raster."""
    background: int = 0
    """Code of the class that takes the place of what is removed; of ``remove_small`` alone."""

    @property
    def sentence(self) -> str:
        """What it does, in words."""
        about = "" if self.unit == "px" else f", about {self.pixels:.4g} px"
        size = f"{self.size:g} {_UNIT_TEXTS[self.unit]}{about}"
        if self.operation == "remove_small":
            return f"remove_small: components below {size} become code {self.background}"
        if self.operation == "sieve":
            return f"sieve: components below {size} become the class of their longest border"
        return f"fill_holes: components below {size} that one class encloses become that class"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStep:
    """Each pixel gets a class by a square window around it."""

    operation: Literal["majority", "open", "close"]
    radius: int
    """Pixels that the window reaches beyond its centre."""
    codes: tuple[int, ...] = ()
    """Classes that are opened or closed, in order."""
    background: int = 0
    """Code that pixels get that an opening removes."""

    @property
    def sentence(self) -> str:
        """What it does, in words."""
        side = f"{2 * self.radius + 1} × {2 * self.radius + 1} px"
        if self.operation == "majority":
            return f"majority: the class of most valid pixels in {side}"
        codes = f"codes {', '.join(map(str, self.codes))} by a square of {side}"
        after = f"; what is removed becomes code {self.background}" if self.operation == "open" else ""
        return f"{self.operation}: {codes}{after}"


Step = SizeStep | WindowStep


def resolve_steps(given: Sequence[StepConfig], spec: StoreSpec) -> tuple[Step, ...]:
    """The steps of a config for a store.

    Parameters
    ----------
    given
        As the config has them.
    spec
        Of the store: its grid and its class table.

    Raises
    ------
    ConfigError
        A class or its role is missing, or a size has a unit that the grid does not have.
    InputError
        PROJ does not know the CRS of the grid.
    """
    return tuple(_resolved(step, spec) for step in given)


def _resolved(step: StepConfig, spec: StoreSpec) -> Step:
    if step.majority is not None:
        return WindowStep(operation="majority", radius=step.majority // 2)
    if step.open is not None:
        background = _background(step, spec.classes)
        return WindowStep(operation="open", radius=step.open, codes=_codes(step, spec.classes), background=background)
    if step.close is not None:
        return WindowStep(operation="close", radius=step.close, codes=_codes(step, spec.classes))
    return _size_step(step, spec)


def _size_step(step: StepConfig, spec: StoreSpec) -> SizeStep:
    size, unit = parse_size(step.remove_small or step.sieve or step.fill_holes or "")
    pixels = size
    if unit != "px":
        areas = pixel_areas(spec.grid)
        size, unit = _in_unit(step, size, unit, areas)
        pixels = size / max(_middle(areas, spec), np.finfo(np.float64).tiny)
    if step.remove_small:
        background = _background(step, spec.classes)
        return SizeStep(operation="remove_small", size=size, unit=unit, pixels=pixels, background=background)
    return SizeStep(operation="sieve" if step.sieve else "fill_holes", size=size, unit=unit, pixels=pixels)


def _in_unit(step: StepConfig, size: float, unit: SizeUnit, areas: PixelAreas) -> tuple[float, SizeUnit]:
    """A size in the unit of a grid; its number is left as it is where that is the unit."""
    if areas.unit == "px":
        raise ConfigError(
            f"{_name(step)} is {size:g} {unit}, but the raster has neither a CRS nor a pixel size, so that its pixels "
            f"have no area. Give the size in px, such as 20 px."
        )
    factor = 1.0 if unit == areas.unit else _SQUARE_METRES[unit] / _SQUARE_METRES[areas.unit]
    return size * factor, areas.unit


def _middle(areas: PixelAreas, spec: StoreSpec) -> float:
    middle = Window(row=spec.grid.height // 2, col=spec.grid.width // 2, height=1, width=1)
    return float(np.asarray(areas.of(middle)).reshape(()))


def _background(step: StepConfig, classes: Sequence[ClassRow]) -> int:
    codes = [row.code for row in classes if row.role == "background"]
    if len(codes) != 1:
        have = "none has it" if not codes else f"{len(codes)} have it"
        raise ConfigError(
            f"{_name(step)} needs one class with role: background, which takes the place of what is removed, but of "
            f"the {len(classes)} classes {have}. Give one of model.classes role: background, or use sieve instead."
        )
    return codes[0]


def _codes(step: StepConfig, classes: Sequence[ClassRow]) -> tuple[int, ...]:
    """Codes of the classes that are opened or closed, in the order that the step or the class table gives."""
    if step.classes is not None:
        return tuple(_code(step, name, classes) for name in step.classes)
    if len(classes) > _MOST_UNORDERED and _are_nameless(classes):
        raise ConfigError(
            f"{_name(step)} works on one class after the other, and nobody has named the {len(classes)} classes. Give "
            f"model.classes in the order that is wanted, or the step's own classes: [NAME, …]."
        )
    return tuple(row.code for row in classes if row.role != "background")


def _code(step: StepConfig, name: str, classes: Sequence[ClassRow]) -> int:
    codes = [row.code for row in classes if row.name == name]
    if len(codes) != 1:
        names = [row.name for row in classes]
        nearest = difflib.get_close_matches(name, names, 1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest and not codes else f"give each of {', '.join(names)} once"
        raise ConfigError(f"{_name(step)} names the class {name!r}, which {len(codes)} classes are called; {hint}")
    return codes[0]


def _are_nameless(classes: Sequence[ClassRow]) -> bool:
    """Whether all classes have the names that they get where nobody gives any."""
    return all(row.name == f"class{place}" for place, row in enumerate(classes))


def _name(step: StepConfig) -> str:
    return f"{step.operation} in output.postprocess"
