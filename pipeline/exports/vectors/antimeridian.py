"""Polygons in degrees that lie on both sides of the antimeridian, or around a pole, cut as RFC 7946 asks (3.1.9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exports.vectors.json_text import Shapes
from pipeline.geometry.crs import TURN
from pipeline.objects.features import FeatureBatch
from pipeline.runtime.optional_imports import require

HALF_TURN = TURN / 2
POLE = 90.0


def needs_cut(points: npt.NDArray[np.float64], batch: FeatureBatch) -> npt.NDArray[np.bool_]:
    """Objects of which an edge seems to go around more than half the earth, or longitudes lie beyond ±180°.

    Parameters
    ----------
    points
        (n, 2) degrees of the vertices of a batch.
    batch
        Objects.
    """
    beyond = np.abs(points[:, 0]) > HALF_TURN
    jumps = np.abs(np.diff(points[:, 0], append=points[-1:, 0])) > HALF_TURN
    jumps[np.cumsum(batch.ring_sizes) - 1] = False
    starts = np.cumsum(batch.object_sizes) - batch.object_sizes
    return np.asarray(np.logical_or.reduceat(beyond | jumps, starts))


def cut_polygons(shapes: Shapes) -> list[list[npt.NDArray[Any]]]:
    """The same ground as polygons of which none reaches beyond ±180°, right-handed.

    Parameters
    ----------
    shapes
        Polygons in degrees. An edge is the shorter way between its ends.

    Raises
    ------
    ExtraError
        shapely is not installed.
    """
    shapely = require("shapely", "vector", "Cutting polygons at the antimeridian")
    parts = []
    for outer, *holes in shapes:
        ground = _ring_ground(shapely, outer)
        for hole in holes:
            ground = shapely.difference(ground, _ring_ground(shapely, hole))
        parts += [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
    return [
        [
            shapely.get_coordinates(ring if ring.is_ccw == (not place) else ring.reverse())
            for place, ring in enumerate([part.exterior, *part.interiors])
        ]
        for part in parts
    ]


def _ring_ground(shapely: Any, ring: npt.NDArray[np.float64]) -> Any:
    """What a ring surrounds, within ±180°."""
    x, y = np.unwrap(ring[:, 0], period=TURN), ring[:, 1]
    if abs(x[-1] - x[0]) > HALF_TURN:  # it goes around a pole
        pole = np.copysign(POLE, y.mean())
        x, y = np.concatenate([x, [x[-1], x[0]]]), np.concatenate([y, [pole, pole]])
    ground = shapely.make_valid(shapely.polygons(np.stack([x, y], axis=1)))
    pieces = []
    for turn in range(int((x.min() + HALF_TURN) // TURN), int((x.max() + HALF_TURN) // TURN) + 1):
        inside = shapely.intersection(
            ground, shapely.box(turn * TURN - HALF_TURN, -POLE, turn * TURN + HALF_TURN, POLE)
        )
        pieces.append(shapely.transform(inside, lambda points, turn=turn: points - (turn * TURN, 0.0)))
    return shapely.union_all(pieces)
