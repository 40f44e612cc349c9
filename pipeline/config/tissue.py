"""How ``source.only: tissue`` tells tissue from glass."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.config.values import Auto, ConfigSection

_MEASURE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*(um2?|px)\s*", re.IGNORECASE)


def parse_measure(text: str, unit: str) -> tuple[float, bool]:
    """A number with its unit, such as ``8 um`` or ``16 px``.

    Parameters
    ----------
    text
        What was given.
    unit
        ``um`` for lengths, ``um2`` for areas; px may be given for both.

    Returns
    -------
    tuple
        The number, and whether it counts pixels.

    Raises
    ------
    ValueError
        It is something else, or not above 0.
    """
    match = _MEASURE.fullmatch(text)
    if match is None or match[2].lower() not in (unit, "px") or not float(match[1]) > 0:
        raise ValueError(f"give a number above 0 with its unit, such as 16 {unit} or 16 px")
    return float(match[1]), match[2].lower() == "px"


def _length(text: str) -> str:
    parse_measure(text, "um")
    return text


def _area(text: str) -> str:
    parse_measure(text, "um2")
    return text


class TissueConfig(ConfigSection):
    """Thresholds of the estimate of tissue."""

    saturation: Auto | Annotated[float, Field(gt=0, lt=1)] = Field(
        "auto", description="what is more saturated is tissue, from 0 to 1; auto: Otsu's threshold, from 0.04 to 0.12"
    )
    resolution: Auto | Annotated[str, AfterValidator(_length)] = Field(
        "auto",
        description="side of the squares whose means are looked at, such as 8 um or 16 px; auto is these: px where the "
        "size of a pixel is not known in µm",
    )
    min_area: Auto | Annotated[str, AfterValidator(_area)] = Field(
        "auto",
        description="smaller pieces are left out, smaller holes filled, such as 10000 um2 or 25600 px; auto is these",
    )
    pens: bool = Field(True, description="leave out marks of pens, by their hue")
