"""Sizes that a person gives: 100 m2, 10 um2 or 20 px."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.geometry.areas import AreaUnit
from pipeline.objects.columns import Columns

_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(m2|um2|px)\s*$")


@dataclass(frozen=True, slots=True)
class ObjectSize:
    """An amount of area, or of pixels."""

    value: float
    unit: Literal["m2", "um2", "px"]

    @classmethod
    def parse(cls, text: str) -> ObjectSize:
        """Read a size.

        Raises
        ------
        InputError
            It is not a number with one of the three units.
        """
        match = _SIZE.match(text.replace("µ", "u").replace("²", "2"))
        if match is None:
            raise InputError(f"{text!r} is no size of an object. Give a number and its unit: 100 m2, 10 um2 or 20 px.")
        return cls(float(match[1]), match[2])  # type: ignore[arg-type]

    def check(self, unit: AreaUnit) -> None:
        """Raise InputError where the pixels of a grid have no area in this unit."""
        if self.unit not in (unit, "px"):
            areas = {"m2": "square metres", "um2": "square micrometres", "px": "pixels alone"}[unit]
            other = "" if unit == "px" else f"{self.value:g} {unit} or "
            raise InputError(
                f"The size {self.value:g} {self.unit} cannot be compared with objects of this store, whose areas are "
                f"in {areas}. Give it as {other}20 px."
            )

    def reached(self, rows: Columns, areas: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which rows of a table of components are at least as large."""
        return (rows["pixels"] if self.unit == "px" else areas) >= self.value
