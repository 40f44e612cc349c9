"""Mean and deviation of colours by Reinhard et al., Color transfer between images, 2001.

Colours are told in Ruderman's lαβ: sums and differences of the logarithms of what long, middle and short cones see.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.inference.colour_transfer import rows_of
from pipeline.statistics.colours import STAIN_DIGITS, ColourCounts, ColourValues

CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""Red, green and blue to long, middle and short cones."""
LAB_AXES = np.diag(1 / np.sqrt([3, 6, 2])) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""Logarithms of these to l, α and β."""
FAINTEST = 1.0
"""Of what a cone sees, of 255: black has no logarithm."""


def to_lab(rgb: ColourValues) -> ColourValues:
    """(n, 3) l, α and β of colours from 0 to 255."""
    return np.asarray(np.log(np.maximum(rgb @ CONES.T, FAINTEST)) @ LAB_AXES.T)


def reinhard_numbers(colours: ColourCounts) -> dict[str, Any]:
    """Mean and deviation of l, α and β.

    Raises
    ------
    ValueError
        All colours are alike.
    """
    lab = to_lab(colours.rgb)
    mean = np.average(lab, axis=0, weights=colours.counts)
    std = np.sqrt(np.average((lab - mean) ** 2, axis=0, weights=colours.counts))
    if not (std.round(STAIN_DIGITS) > 0).all():
        raise ValueError("all colours are alike, so that there is no deviation to divide by")
    return {"mean": mean.round(STAIN_DIGITS).tolist(), "std": std.round(STAIN_DIGITS).tolist()}


def reinhard_transfer(stain: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Fields of a `ColourTransfer` from the numbers of a slide to those of the target."""
    ratio, back = np.diag(np.divide(target["std"], stain["std"])), np.linalg.inv(LAB_AXES)
    summand = back @ (np.array(target["mean"]) - ratio @ np.array(stain["mean"]))
    return {
        "before": rows_of(CONES),
        "offset": 0.0,
        "least": FAINTEST,
        "matrix": rows_of(back @ ratio @ LAB_AXES),
        "summand": tuple(map(float, summand)),
        "after": rows_of(np.linalg.inv(CONES)),
        "subtrahend": 0.0,
    }
