"""Coordinates of rows and columns as a lattice of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError

EVEN_SHARE = 1e-3
"""Share of a step by which a coordinate may be off the lattice."""
ROUNDING_ULPS = 4
"""Units in the last place by which it may be off, since files hold coordinates in few digits."""
MAX_OFF = 0.1
"""Share of a step by which rounding may move a coordinate."""
SAME_PX = 1e-3
"""Pixels by which two transforms may differ and be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateAxis:
    """Centres of pixels along one axis."""

    first: float
    """Of the first pixel."""
    step: float
    """From a pixel to the next; negative where coordinates fall."""
    count: int

    @property
    def reversed(self) -> CoordinateAxis:
        """The same pixels from the other end."""
        return CoordinateAxis(first=self.first + (self.count - 1) * self.step, step=-self.step, count=self.count)

    @property
    def edge(self) -> float:
        """The outer edge of the first pixel."""
        return self.first - self.step / 2

    def near(self, edge: float, step: float) -> bool:
        """Whether another edge and step give the same pixels."""
        drift = abs(step - self.step) * self.count + abs(edge - self.edge)
        return drift <= SAME_PX * abs(self.step)


def axis_of(values: npt.NDArray[Any], name: str) -> CoordinateAxis | None:
    """The lattice of a coordinate; None of a single one, which has no step.

    Raises
    ------
    SourceError
        They are not evenly spaced.
    """
    numbers = values.astype(np.float64)
    if len(numbers) < 2:
        return None
    step = float(numbers[-1] - numbers[0]) / (len(numbers) - 1)
    digits = np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps
    rounding = float(ROUNDING_ULPS * digits * np.abs(numbers).max()) if np.isfinite(numbers).all() else 0.0
    allowed = max(EVEN_SHARE * abs(step), min(rounding, MAX_OFF * abs(step)))
    off = np.abs(numbers[0] + step * np.arange(len(numbers)) - numbers)
    if step == 0 or not bool((off <= allowed).all()):
        raise SourceError(_uneven(numbers, off, name))
    return CoordinateAxis(first=float(numbers[0]), step=step, count=len(numbers))


def _uneven(numbers: npt.NDArray[np.float64], off: npt.NDArray[np.float64], name: str) -> str:
    place = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
    around = ", ".join(f"{number:.9g}" for number in numbers[max(place - 1, 0) : place + 2])
    return (
        f"The coordinate {name} is not evenly spaced (around place {place}: {around}), so that its pixels lie on no "
        f"grid. Bring the array to an even grid first, such as with xarray's interp, or give source.georeference."
    )
