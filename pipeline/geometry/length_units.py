"""Units of length as files of microscopes name them."""

from __future__ import annotations

UM_PER_INCH = 25400.0
UM_PER_UNIT = {
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "pm": 1e-6,
    "å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "inch": UM_PER_INCH,
    "in": UM_PER_INCH,
    "angstrom": 1e-4,
}
"""µm in each unit that people write, in lower case; the first two are two characters that look alike."""


def um_per(unit: str) -> float | None:
    """µm in a unit; None where it is no unit of length, such as pixel."""
    return UM_PER_UNIT.get(unit.strip().lower())
