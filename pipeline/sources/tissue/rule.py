"""Which cells are tissue: more saturated than glass, no ink of a pen, and in pieces of some size.

Glass is nearly colourless and stained tissue is not, so saturation parts them, with Otsu's threshold (Otsu, IEEE Trans.
Syst. Man Cybern. 1979), as CLAM does it (Lu et al., Nat. Biomed. Eng. 2021).

Haematoxylin and eosin absorb green most (Schreiber et al., Sci. Rep. 2024), and diaminobenzidine is brown. So hues from
70 to 190 degrees are inks, and so are the strong blues and reds beyond those of the stains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.sources.lattice import LatticeValues

_Floats = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
LEAST_OTSU, MOST_OTSU = 0.04, 0.12
"""Between these lies an automatic threshold: without tissue Otsu's parts the noise of glass, and without glass the
tissue."""
DARK = 0.12
"""Share of white below which colours are noise: what a scanner has not seen."""
FRINGE = 3
"""Cells around ink whose hue is the ink's: strokes that are half glass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """LatticeValues of a pen."""

    hues: tuple[float, float]
    """Degrees, from one to the other, across 360 where the first is the larger."""
    saturation: tuple[float, float]
    brightness: tuple[float, float] = (0.0, 1.0)
    """As a share of white."""


PEN_INKS = (
    Ink(hues=(70, 190), saturation=(0.15, 1)),
    Ink(hues=(190, 240), saturation=(0.5, 1)),
    Ink(hues=(350, 10), saturation=(0.75, 1), brightness=(0.5, 1)),
    Ink(hues=(0, 360), saturation=(0, 0.35), brightness=(0, 0.35)),
)
"""Green, blue, red and black."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tissue:
    """What was made of the cells."""

    mask: _Bools
    """(rows, cols)."""
    saturation: float
    """The threshold."""
    ink: _Bools
    """(rows, cols) marks of pens."""


def tissue_of(
    rgb: LatticeValues, valid: _Bools, white: float, *, saturation: float | None, pens: bool, min_cells: float
) -> Tissue:
    """Tell tissue from glass and ink.

    Parameters
    ----------
    rgb
        (3, rows, cols), in any unit.
    valid
        (rows, cols) cells of which anything is known.
    white
        The number of white.
    saturation
        Threshold, from 0 to 1; None for Otsu's.
    pens
        Whether marks of pens are left out.
    min_cells
        Smaller pieces are left out and smaller holes are filled.
    """
    hue, saturations, brightness = _hsv(rgb, white)
    colours = valid & (brightness > DARK)
    ink = colours & _any_ink(hue, saturations, brightness) if pens else np.zeros_like(valid)
    threshold = _otsu(saturations[colours & ~ink]) if saturation is None else saturation
    stained = colours & (saturations > threshold)
    if pens:
        ink = _with_fringe(ink, hue, stained)
    mask = _filled(_without_small(stained & ~ink, min_cells), min_cells, valid & ~ink)
    return Tissue(mask=mask, saturation=threshold, ink=ink)


def ink_colours(rgb: LatticeValues) -> _Bools:
    """(n,) whether colours of (3, n) from 0 to 255 are those of a pen."""
    hue, saturations, brightness = _hsv(rgb, 255.0)
    return np.asarray((brightness > DARK) & _any_ink(hue, saturations, brightness))


def _hsv(rgb: LatticeValues, white: float) -> tuple[_Floats, _Floats, _Floats]:
    """Hue in degrees, saturation, and brightness as a share of white."""
    from skimage.color import rgb2hsv

    hue, saturation, brightness = rgb2hsv(rgb / np.float32(white), channel_axis=0)
    return hue * 360, saturation, brightness


def _otsu(saturations: _Floats) -> float:
    from skimage.filters import threshold_otsu

    if not saturations.size or saturations.min() == saturations.max():
        return LEAST_OTSU
    return min(max(float(threshold_otsu(saturations)), LEAST_OTSU), MOST_OTSU)


def _any_ink(hue: _Floats, saturation: _Floats, brightness: _Floats) -> _Bools:
    ink = np.zeros(hue.shape, dtype=bool)
    for one in PEN_INKS:
        ink |= (
            _between_hues(hue, one.hues) & _between(saturation, one.saturation) & _between(brightness, one.brightness)
        )
    return ink


def _with_fringe(ink: _Bools, hue: _Floats, stained: _Bools) -> _Bools:
    """Ink with what is next to it and of an ink's hue."""
    from scipy import ndimage

    coloured = np.any([_between_hues(hue, one.hues) for one in PEN_INKS if one.hues != (0, 360)], axis=0)
    return np.asarray(ndimage.binary_dilation(ink, iterations=FRINGE, mask=coloured & stained) | ink)


def _between(values: _Floats, limits: tuple[float, float]) -> _Bools:
    return np.asarray((values >= limits[0]) & (values <= limits[1]))


def _between_hues(hue: _Floats, limits: tuple[float, float]) -> _Bools:
    first, last = limits
    return _between(hue, limits) if first <= last else ~_between(hue, (last, first))


def _without_small(mask: _Bools, min_cells: float) -> _Bools:
    labels, sizes = _components(mask)
    return np.asarray((sizes >= min_cells)[labels] & mask)


def _filled(mask: _Bools, min_cells: float, fillable: _Bools) -> _Bools:
    """With small holes filled; what reaches the edge is no hole."""
    labels, sizes = _components(~mask)
    small = sizes < min_cells
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    small[np.concatenate(edges)] = False
    return np.asarray(mask | (small[labels] & ~mask & fillable))


def _components(mask: _Bools) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """(rows, cols) numbers of 4-connected pieces from 1, and their sizes in cells, of number 0 as well."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    return labels, np.bincount(labels.ravel())
