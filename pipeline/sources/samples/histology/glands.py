"""Glands: rings of columnar cells around a lumen, on a lattice that each of them has left by a random step."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.samples.histology.layout import Ellipse, SlideLayout
from pipeline.sources.samples.histology.plane import PlaneArray, PointPlane, WindowPlane
from pipeline.sources.samples.histology.regions import lymphocyte_depth, tissue_depth, tumour_depth
from pipeline.sources.samples.noise import Field, pixels

PITCH = 225
"""Of the lattice, px."""
GLAND_REACH = 150
"""Farthest point of a gland from its centre, px."""
LUMEN = 0.42
"""Share of the radius within which there is no cell."""
NUCLEI = 0.84
"""Share of the radius at which its nuclei stand."""
BETWEEN_NUCLEI = 13.0
"""px along that ring."""
WARP_PERIOD, WARP = 75, 0.17
"""px, and the share of the radius, of what makes an outline uneven."""
NO_GLAND = 9.0
"""Share of the radius where there is no gland."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Nuclei of glands."""

    rows: PlaneArray
    """(nuclei,), px."""
    cols: PlaneArray
    angles: PlaneArray
    """Directions of their long axes, radians from the column."""


def glands_near(window: Window, layout: SlideLayout) -> list[Ellipse]:
    """All glands that reach into a window: none in the tumour, in an aggregate, or at the tissue's edge."""
    row, col = (_nodes(span.start, span.stop) for span in (window.rows, window.cols))
    rows, cols = (axis.ravel() for axis in np.meshgrid(row, col, indexing="ij"))
    chance = [pixels(rows, cols, layout.seed_of(50 + k)) for k in range(6)]
    down, across = (PITCH * (axis + 0.5 + 0.4 * (c - 0.5)) for axis, c in zip((rows, cols), chance, strict=False))
    places = PointPlane(down, across)
    tumour = tumour_depth(places, layout)
    fits = (tissue_depth(places, layout) > GLAND_REACH * 0.8) & (tumour < -GLAND_REACH) & (chance[2] > 0.12)
    fits &= lymphocyte_depth(places, layout, tumour) < -0.1
    width, longer, angle = 66 + 28 * chance[3], 1 + 0.35 * chance[4], pi * chance[5]
    return [
        Ellipse(
            row=float(down[k]),
            col=float(across[k]),
            length=float(width[k] * longer[k]),
            width=float(width[k]),
            angle=float(angle[k]),
        )
        for k in np.flatnonzero(fits)
    ]


def gland_share(window: Window, glands: list[Ellipse], warp: Field) -> Field:
    """(rows, cols) distance from the centre of the nearest gland, as a share of its radius there; 1 is its outline."""
    share = np.full((window.height, window.width), NO_GLAND, dtype=np.float32)
    for gland in glands:
        rows, cols = (Span(int(at), int(at)).grow(GLAND_REACH) for at in (gland.row, gland.col))
        part = Window.of(rows, cols).intersect(window)
        if not part.pixels:
            continue
        at, plane = part.index_in(window), WindowPlane(part)
        radius = gland.share(plane.rows, plane.cols)
        share[at] = np.minimum(share[at], radius * (1 + WARP * warp[at]))
    return share


def gland_nuclei(glands: list[Ellipse], layout: SlideLayout) -> Ring:
    """The nuclei of some glands, each with its long axis towards the lumen."""
    if not glands:
        return Ring(rows=np.zeros(0), cols=np.zeros(0), angles=np.zeros(0))
    down, across, centres = (
        np.concatenate(part) for part in zip(*(_ring(gland, layout) for gland in glands), strict=True)
    )
    rows, cols = centres.T
    stretch = 1 / (1 + WARP * PointPlane(rows + down, cols + across).smooth(WARP_PERIOD, layout.seed_of(60)))
    return Ring(rows=rows + down * stretch, cols=cols + across * stretch, angles=np.arctan2(down, across))


def _ring(gland: Ellipse, layout: SlideLayout) -> tuple[PlaneArray, PlaneArray, PlaneArray]:
    """Rows and columns of each nucleus from the centre of its gland, and (nuclei, 2) that centre, px."""
    count = int(2 * pi * NUCLEI * (gland.length + gland.width) / 2 / BETWEEN_NUCLEI)
    number, place = np.arange(count), np.full(count, int(gland.row) * 65_537 + int(gland.col))
    step, depth = (pixels(place, number, layout.seed_of(62 + k)) for k in range(2))
    turn, radius = 2 * pi * (number + 0.5 * step) / count, NUCLEI + 0.1 * (depth - 0.5)
    along, over = gland.length * radius * np.cos(turn), gland.width * radius * np.sin(turn)
    down = along * np.sin(gland.angle) + over * np.cos(gland.angle)
    across = along * np.cos(gland.angle) - over * np.sin(gland.angle)
    return down, across, np.tile((gland.row, gland.col), (count, 1))


def _nodes(start: int, stop: int) -> PlaneArray:
    """Nodes of the lattice whose glands may reach a span."""
    return np.arange((start - GLAND_REACH) // PITCH - 1, (stop + GLAND_REACH) // PITCH + 2)
