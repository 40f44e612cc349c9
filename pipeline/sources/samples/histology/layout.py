"""Where on its glass a slide has tissue, tumour and ink, and how strongly it is stained: drawn once from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, sin

import numpy as np

from pipeline.geometry.window import Window
from pipeline.sources.samples.histology.plane import Plane, PlaneArray

WOBBLE = 0.07
"""Share of the slide's side by which an outline of tissue may leave its ellipse."""
FRAY = 40.0
"""Further px, of the outline's fine structure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse on level 0, px."""

    row: float
    col: float
    length: float
    """Half of the axis that is turned by ``angle`` from the column."""
    width: float
    """Half of the other axis."""
    angle: float = 0.0

    def share(self, rows: PlaneArray, cols: PlaneArray) -> PlaneArray:
        """Distance from the centre as a share of that of the outline: 1 on the outline."""
        down, across, turn = rows - self.row, cols - self.col, self.angle
        along, over = down * sin(turn) + across * cos(turn), down * cos(turn) - across * sin(turn)
        return np.hypot(along / self.length, over / self.width)

    def depth(self, rows: PlaneArray, cols: PlaneArray) -> PlaneArray:
        """About how far inside the outline each place lies, px; it changes by at most 1 per px."""
        return (1 - self.share(rows, cols)) * min(self.length, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line of a pen."""

    ink: tuple[int, int, int]
    """Red, green and blue of the ink on glass."""
    points: tuple[tuple[float, float], ...]
    """(row, col) of its corners, px."""
    width: float
    """px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideLayout:
    """A slide before its tissue is looked at closely."""

    seed: int
    size: int
    """Side of level 0, px."""
    tissue: tuple[Ellipse, ...]
    tumour: Ellipse
    strokes: tuple[Stroke, ...]
    haematoxylin: float
    """Strength of the stain; 1 is usual."""
    eosin: float
    grain: float
    """Direction of the fibres, radians."""

    @classmethod
    def of(cls, seed: int, size: int) -> SlideLayout:
        """The layout of a seed, for a slide of ``size`` × ``size`` px."""
        rng = np.random.default_rng((seed, 1))
        draw = rng.uniform
        row, col = size * draw(0.44, 0.5), size * draw(0.38, 0.44)
        large = Ellipse(row=row, col=col, length=size * 0.3, width=size * 0.27, angle=draw(0, pi))
        small = Ellipse(
            row=size * draw(0.5, 0.66), col=size * 0.84, length=size * 0.17, width=size * 0.07, angle=draw(1.2, 1.9)
        )
        turn, way = draw(0, 2 * pi), size * 0.12
        tumour = Ellipse(
            row=row + way * sin(turn),
            col=col + way * cos(turn),
            length=size * 0.17,
            width=size * 0.12,
            angle=draw(0, pi),
        )
        return cls(
            seed=seed,
            size=size,
            tissue=(large, small),
            tumour=tumour,
            strokes=_strokes(rng, size, large),
            haematoxylin=draw(0.85, 1.15),
            eosin=draw(0.85, 1.15),
            grain=draw(0, pi),
        )

    def seed_of(self, part: int) -> int:
        """The seed of one of the slide's fields."""
        return self.seed * 1009 + part

    def may_have_tissue(self, window: Window) -> bool:
        """Whether any tissue may lie in a window; never False where some does."""
        row, col = np.array(window.row + window.height / 2), np.array(window.col + window.width / 2)
        reach = hypot(window.height, window.width) / 2 + WOBBLE * self.size + FRAY
        return any(float(ellipse.depth(row, col)) > -reach for ellipse in self.tissue)


def ellipses_depth(plane: Plane, ellipses: tuple[Ellipse, ...]) -> PlaneArray:
    """How far inside any of the ellipses each place lies, px."""
    depth = ellipses[0].depth(plane.rows, plane.cols)
    for ellipse in ellipses[1:]:
        depth = np.maximum(depth, ellipse.depth(plane.rows, plane.cols))
    return depth


def _strokes(rng: np.random.Generator, size: int, tissue: Ellipse) -> tuple[Stroke, ...]:
    """A blue arc around a part of the tissue, a green tick beside it, and a black dash on the glass."""
    start, span = rng.uniform(2.2, 2.8), 1.5
    radius = 1.02 * (tissue.length + tissue.width) / 2
    arc = tuple(
        (tissue.row + radius * sin(start + k * span / 16), tissue.col + radius * cos(start + k * span / 16))
        for k in range(17)
    )
    row, col = size * rng.uniform(0.86, 0.9), size * rng.uniform(0.55, 0.7)
    tick = ((row, col), (row + size * 0.05, col + size * 0.03), (row - size * 0.06, col + size * 0.11))
    row = size * rng.uniform(0.06, 0.1)
    dash = ((row, size * 0.8), (row + size * 0.02, size * 0.9))
    return (
        Stroke(ink=(38, 84, 196), points=arc, width=size * 0.018),
        Stroke(ink=(26, 138, 76), points=tick, width=size * 0.014),
        Stroke(ink=(42, 40, 44), points=dash, width=size * 0.016),
    )
