"""Two stains of a slide by Macenko et al., A method for normalizing histology slides for quantitative analysis, 2009.

Colours of stained tissue lie between two directions in the space of optical densities, one for each stain: those of
the 1st and the 99th percentile of the angle in the plane in which the densities vary most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.inference.colour_transfer import rows_of
from pipeline.statistics.colours import STAIN_DIGITS, ColourCounts, ColourValues

LIGHT = 240.0
"""What a pixel of empty glass has, of 255."""
LEAST_DENSITY = 0.15
"""Optical density, of a natural logarithm, below which a colour is glass."""
ANGLES = (1.0, 99.0)
"""Percentiles that the stains are at."""
MAXIMUM = 99.0
"""Percentile of the concentrations."""
LEAST_ANGLE = 3.0
"""Degrees between two stains; less is one stain and its noise."""


def densities(rgb: ColourValues) -> ColourValues:
    """Optical densities of (n, 3) colours from 0 to 255."""
    return np.asarray(-np.log((rgb + 1) / LIGHT))


def stained(colours: ColourCounts) -> ColourCounts:
    """Colours without those of glass."""
    return colours.where(np.asarray((densities(colours.rgb) >= LEAST_DENSITY).all(axis=1)))


def macenko_numbers(colours: ColourCounts) -> dict[str, Any]:
    """Vectors of haematoxylin and eosin, of unit length, and the 99th percentile of each concentration.

    Raises
    ------
    ValueError
        The colours are those of one stain, or of none.
    """
    density = densities(colours.rgb)
    vectors = _vectors(density, colours)
    concentrations = density @ np.linalg.pinv(vectors)
    maxima = [colours.percentiles(concentrations[:, k], (MAXIMUM,))[0] for k in range(2)]
    if min(maxima) <= 0:
        raise ValueError("one of both stains is absent")
    return {"vectors": vectors.round(STAIN_DIGITS).tolist(), "maxima": np.round(maxima, STAIN_DIGITS).tolist()}


def macenko_transfer(stain: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Fields of a `ColourTransfer` from the numbers of a slide to those of the target."""
    ratio = np.diag(np.divide(target["maxima"], stain["maxima"]))
    matrix = np.transpose(target["vectors"]) @ ratio @ np.linalg.pinv(np.transpose(stain["vectors"]))
    return {
        "before": rows_of(np.eye(3) / LIGHT),
        "offset": 1 / LIGHT,
        "least": 1 / LIGHT,
        "matrix": rows_of(matrix),
        "summand": (0.0, 0.0, 0.0),
        "after": rows_of(np.eye(3) * LIGHT),
        "subtrahend": 1.0,
    }


def _vectors(density: ColourValues, colours: ColourCounts) -> ColourValues:
    """(2, 3): the stain that absorbs more red first, which is haematoxylin."""
    _, axes = np.linalg.eigh(np.cov(density.T, fweights=colours.counts))
    plane = axes[:, [2, 1]] * np.where(axes[:, [2, 1]].sum(axis=0) < 0, -1, 1)
    across, up = (density @ plane).T
    low, high = colours.percentiles(np.arctan2(up, across), ANGLES)
    if np.degrees(high - low) < LEAST_ANGLE:
        raise ValueError(f"all colours lie within {np.degrees(high - low):.1f}°, so that there is one stain alone")
    edges = [plane @ (np.cos(angle), np.sin(angle)) for angle in (low, high)]
    unit = [vector / np.linalg.norm(vector) for vector in edges]
    return np.array(sorted(unit, key=lambda vector: -vector[0]))
