"""Nuclei: small pictures of four kinds, laid on a plane where their tissue is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import pi

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.geometry.window import Window
from pipeline.sources.samples.histology.plane import PlaneArray
from pipeline.sources.samples.histology.regions import LYMPHOCYTES, STROMA, TUMOUR
from pipeline.sources.samples.noise import Field, pixels

NUCLEUS_REACH = 20
"""Farthest pixel of a nucleus from its centre, px: half the side of its picture."""
DIRECTIONS, VARIANTS = 16, 6
"""Pictures of a kind: directions, and nuclei in each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NucleusKind:
    """How the nuclei of a tissue look and how densely they lie."""

    number: int
    """Of its random numbers."""
    radius: tuple[float, float]
    """Least and largest, across the long axis, px."""
    longer: tuple[float, float]
    """How much longer than wide, least and most."""
    darkness: tuple[float, float]
    """Optical density, least and most."""
    grain: float
    """How uneven the chromatin is, as a share."""
    pitch: int = 0
    """Of the lattice that its nuclei stand on, px."""
    shares: Mapping[int, float] = field(default_factory=dict)
    """By class of tissue, the share of the lattice's nodes that have a nucleus."""


FIBROBLAST = NucleusKind(
    number=1,
    radius=(3, 4.2),
    longer=(2.6, 4.2),
    darkness=(0.75, 1.0),
    grain=0.15,
    pitch=34,
    shares={STROMA: 0.5, LYMPHOCYTES: 0.1},
)
LYMPHOCYTE = NucleusKind(
    number=2,
    radius=(5.4, 6.8),
    longer=(1, 1.15),
    darkness=(1.05, 1.3),
    grain=0.2,
    pitch=15,
    shares={LYMPHOCYTES: 0.93, STROMA: 0.012, TUMOUR: 0.01},
)
TUMOUR_CELL = NucleusKind(
    number=3, radius=(7, 12), longer=(1, 1.5), darkness=(0.6, 0.95), grain=0.45, pitch=25, shares={TUMOUR: 0.95}
)
COLUMNAR = NucleusKind(number=4, radius=(4, 5.2), longer=(1.9, 2.6), darkness=(0.75, 0.95), grain=0.2)
SCATTERED = (FIBROBLAST, LYMPHOCYTE, TUMOUR_CELL)


def stamp_scattered(
    plane: Field, window: Window, label: npt.NDArray[np.uint8], angles: PlaneArray, kind: NucleusKind, seed: int
) -> None:
    """Lay the nuclei of a kind whose centres are in a window on a plane of optical density.

    Parameters
    ----------
    plane
        (rows, cols) of the window and NUCLEUS_REACH px around it; changed.
    window
        In which nuclei have their centres.
    label
        (rows, cols) classes of the window.
    angles
        (rows, cols) directions of the fibres, radians.
    kind, seed
        Of the nuclei.
    """
    rows, cols, chance = _scattered(window, kind, seed)
    share = np.array([kind.shares.get(code, 0.0) for code in range(256)], dtype=np.float32)
    exists = chance < share[label[rows - window.row, cols - window.col]]
    rows, cols = rows[exists], cols[exists]
    stamp(plane, window, rows, cols, angles[rows - window.row, cols - window.col], kind)


def stamp(
    plane: Field,
    window: Window,
    rows: npt.NDArray[np.int64],
    cols: npt.NDArray[np.int64],
    angles: PlaneArray,
    kind: NucleusKind,
) -> None:
    """Lay nuclei on a plane of optical density; where two overlap, the darker one shows.

    Parameters
    ----------
    plane
        (rows, cols) of the window and NUCLEUS_REACH px around it; changed.
    window
        In which the nuclei have their centres.
    rows, cols
        (nuclei,) centres on the slide, px.
    angles
        (nuclei,) directions of their long axes, radians.
    kind
        Of the nuclei.
    """
    pictures, side = _pictures(kind), 2 * NUCLEUS_REACH + 1
    turn = np.floor(angles / pi * DIRECTIONS + 0.5).astype(np.int64) % DIRECTIONS
    picture = turn * VARIANTS + (rows * 31 + cols * 17) % VARIANTS
    places = zip((rows - window.row).tolist(), (cols - window.col).tolist(), picture.tolist(), strict=True)
    for row, col, index in places:
        part = plane[row : row + side, col : col + side]
        np.maximum(part, pictures[index], out=part)


def are_inside(window: Window, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which pixels lie in a window."""
    in_rows = (rows >= window.rows.start) & (rows < window.rows.stop)
    return np.asarray(in_rows & (cols >= window.cols.start) & (cols < window.cols.stop))


def _scattered(
    window: Window, kind: NucleusKind, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], PlaneArray]:
    """Row and column, px, and a random number, of each node of the lattice that lies in a window."""
    nodes = (
        np.arange(span.start // kind.pitch - 1, span.stop // kind.pitch + 2) for span in (window.rows, window.cols)
    )
    rows, cols = (axis.ravel() for axis in np.meshgrid(*nodes, indexing="ij"))
    down, across, chance = (pixels(rows, cols, seed * 16 + kind.number * 3 + k) for k in range(3))
    row, col = (
        np.floor(kind.pitch * (axis + 0.5 + 0.75 * (step - 0.5))).astype(np.int64)
        for axis, step in ((rows, down), (cols, across))
    )
    inside = are_inside(window, row, col)
    return row[inside], col[inside], chance[inside]


@cache
def _pictures(kind: NucleusKind) -> Field:
    """(pictures, side, side) optical densities."""
    rng = np.random.default_rng(kind.number)
    pictures = [_picture(rng, kind, pi * turn / DIRECTIONS) for turn in range(DIRECTIONS) for _ in range(VARIANTS)]
    return np.stack(pictures).astype(np.float32)


def _picture(rng: np.random.Generator, kind: NucleusKind, angle: float) -> PlaneArray:
    """A nucleus whose membrane is darker than its chromatin."""
    axis = np.arange(-NUCLEUS_REACH, NUCLEUS_REACH + 1, dtype=np.float64)
    down, across = axis[:, None], axis[None, :]
    width, longer = rng.uniform(*kind.radius), rng.uniform(*kind.longer)
    along, over = down * np.sin(angle) + across * np.cos(angle), down * np.cos(angle) - across * np.sin(angle)
    uneven = ndimage.gaussian_filter(rng.normal(size=(axis.size, axis.size)), 4) * 8
    share = np.hypot(along / (width * longer), over / width) * (1 + 0.1 * uneven)
    chromatin = 1 + kind.grain * (ndimage.gaussian_filter(rng.normal(size=share.shape), 1.4) * 3 + share**2 - 0.5)
    density = rng.uniform(*kind.darkness) * np.clip(chromatin, 0.3, 1.6) * np.clip((1 - share) * width / 1.5, 0, 1)
    return np.asarray(density)
