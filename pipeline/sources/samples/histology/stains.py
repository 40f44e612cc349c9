"""Haematoxylin and eosin: how much of each a place has taken, and the colour that light of the lamp comes through in.

Optical densities add, and light falls exponentially with them (Beer and Lambert). The colour of haematoxylin is that
of Ruifrok & Johnston (Anal. Quant. Cytol. Histol. 2001); that of eosin is chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.geometry.window import Window
from pipeline.sources.samples.histology import nuclei
from pipeline.sources.samples.histology.glands import LUMEN, WARP_PERIOD, Ring, gland_nuclei, gland_share, glands_near
from pipeline.sources.samples.histology.layout import SlideLayout
from pipeline.sources.samples.histology.plane import PlaneArray, WindowPlane, octaves
from pipeline.sources.samples.histology.regions import GLAND, LYMPHOCYTES, TUMOUR, depths
from pipeline.sources.samples.noise import Field

GLASS = (243, 242, 244)
"""Red, green and blue of the lamp through bare glass."""
HAEMATOXYLIN, EOSIN = (0.650, 0.704, 0.286), (0.268, 0.790, 0.452)
"""Shares of red, green and blue that each stain absorbs."""
BLUR = 0.9
"""Standard deviation of the lens, px."""
CENTRE_MARGIN = nuclei.NUCLEUS_REACH + 4
"""Px around a window in which centres of nuclei and blurred pixels still matter."""
CLEFT = -0.72
"""Of the bundles of fibres, below which they have come apart."""
CYTOPLASM = {GLAND: (0.24, 0.42), TUMOUR: (0.3, 0.46), LYMPHOCYTES: (0.2, 0.3)}
"""By class, what is between nuclei takes of haematoxylin and eosin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StainedWindow:
    """A window of stained tissue."""

    haematoxylin: Field
    """(rows, cols) optical density."""
    eosin: Field
    label: npt.NDArray[np.uint8]
    """(rows, cols) classes."""


def stain_window(window: Window, layout: SlideLayout) -> StainedWindow:
    """Stains and classes of a window of the tissue."""
    grown = Window.of(window.rows.grow(CENTRE_MARGIN), window.cols.grow(CENTRE_MARGIN))
    plane, glands = WindowPlane(grown), glands_near(grown, layout)
    depth, share = depths(plane, layout), gland_share(grown, glands, plane.smooth(WARP_PERIOD, layout.seed_of(60)))
    label = depth.labels(share)
    haematoxylin, eosin, angles = _between_nuclei(plane, layout, label, share)
    haematoxylin += _nuclei(grown, layout, label, angles, gland_nuclei(glands, layout), depth.tissue > 0)
    solid = np.clip(depth.tissue / 5 + 0.5, 0, 1)
    core = window.index_in(grown)
    return StainedWindow(
        haematoxylin=_through_lens(haematoxylin * solid)[core],
        eosin=_through_lens(eosin * solid)[core],
        label=label[core],
    )


def colours(tissue: StainedWindow, layout: SlideLayout, noise: Field) -> PlaneArray:
    """(rows, cols, 3) float32 red, green and blue of stained tissue.

    Parameters
    ----------
    tissue
        Of a window.
    layout
        Says how strongly it is stained.
    noise
        (rows, cols) by which densities differ, as a share.
    """
    picture = np.empty((*tissue.label.shape, 3), dtype=np.float32)
    first = tissue.haematoxylin * np.float32(layout.haematoxylin) * noise
    second = tissue.eosin * np.float32(layout.eosin) * noise
    for k, (white, blue, pink) in enumerate(zip(GLASS, HAEMATOXYLIN, EOSIN, strict=True)):
        np.multiply(np.exp(first * np.float32(-blue) - second * np.float32(pink)), white, out=picture[..., k])
    return picture


def _between_nuclei(
    plane: WindowPlane, layout: SlideLayout, label: npt.NDArray[np.uint8], share: Field
) -> tuple[Field, Field, PlaneArray]:
    """Both stains without nuclei, and the direction of the fibres, radians."""
    fibre, angles = _fibres(plane, layout)
    fine = octaves(plane, (9, 4), layout.seed_of(70))
    thickness = 1 + 0.18 * plane.smooth(900, layout.seed_of(72)) + 0.08 * plane.smooth(130, layout.seed_of(73))
    haematoxylin, eosin = 0.09 + 0.03 * fine, 0.5 + 0.26 * fibre + 0.06 * fine
    eosin[fibre < CLEFT] *= 0.35
    for code, (blue, pink) in CYTOPLASM.items():
        inside = label == code
        haematoxylin[inside], eosin[inside] = blue + 0.1 * fine[inside], pink + 0.1 * fine[inside]
    lumen = np.clip((LUMEN - share) * 9, 0, 1)
    membrane = np.clip(1 - np.abs(share - 1) * 18, 0, 1)
    haematoxylin *= 1 - 0.7 * lumen
    eosin = eosin * (1 - 0.85 * lumen) + 0.25 * membrane
    return haematoxylin * thickness, eosin * thickness, angles


def _fibres(plane: WindowPlane, layout: SlideLayout) -> tuple[Field, PlaneArray]:
    """Bundles of collagen, −1…1, and their direction, radians."""
    across = plane.rows * np.float32(cos(layout.grain)) - plane.cols * np.float32(sin(layout.grain))
    across = across + 420 * plane.smooth(1500, layout.seed_of(75)) + 90 * plane.smooth(330, layout.seed_of(76))
    down, right = np.gradient(across)
    bundle = across * np.float32(0.36) + 3.4 * octaves(plane, (64, 23), layout.seed_of(77))
    strength = 0.55 + 0.45 * plane.smooth(85, layout.seed_of(78))
    return np.asarray(np.sin(bundle) * strength, dtype=np.float32), np.arctan2(right, -down)


def _nuclei(
    window: Window,
    layout: SlideLayout,
    label: npt.NDArray[np.uint8],
    angles: PlaneArray,
    ring: Ring,
    solid: npt.NDArray[np.bool_],
) -> Field:
    """(rows, cols) optical density of all nuclei with their centres in a window, those of glands where it is solid."""
    reach = nuclei.NUCLEUS_REACH
    canvas = np.zeros(tuple(side + 2 * reach for side in label.shape), dtype=np.float32)
    for kind in nuclei.SCATTERED:
        nuclei.stamp_scattered(canvas, window, label, angles, kind, layout.seed_of(80))
    rows, cols = np.floor(ring.rows).astype(np.int64), np.floor(ring.cols).astype(np.int64)
    inside = nuclei.are_inside(window, rows, cols)
    rows, cols, directions = rows[inside], cols[inside], ring.angles[inside]
    inside = solid[rows - window.row, cols - window.col]
    nuclei.stamp(canvas, window, rows[inside], cols[inside], directions[inside], nuclei.COLUMNAR)
    return canvas[reach:-reach, reach:-reach]


def _through_lens(density: PlaneArray) -> Field:
    """A plane as the camera sees it."""
    return np.asarray(ndimage.gaussian_filter(density, BLUR, truncate=3.0), dtype=np.float32)
