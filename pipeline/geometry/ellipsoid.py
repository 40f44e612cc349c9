"""Areas on the ellipsoid of a CRS: between two parallels, and of a small piece of a map."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from pipeline.errors import InputError

DoubleArray = npt.NDArray[np.float64]

DIFFERENCE_STEP = 1e-3
"""Step of the differences that give the areal scale, radians of the ellipsoid's axis: truncation and rounding both stay
near 1e-12."""
SMALL_DIFFERENCE_STEP = 1e-6
"""The same where the map ends or is torn within a few of these steps; the scale is then good to about 1e-9."""
DIFFERENCE_STEPS = (-3, -2, -1, 1, 2, 3)
"""Steps from a point at which the map is looked at, on each axis."""
CENTRAL = (-1 / 60, 3 / 20, -3 / 4, 3 / 4, -3 / 20, 1 / 60)
"""Weights of a central difference of order 6, one a step."""
SHORT = (0.0, 1 / 12, -2 / 3, 2 / 3, -1 / 12, 0.0)
"""The same of order 4: where both differ, the map is not smooth."""
SMOOTH = 1e-8
"""Relative difference of the areal scale by both, from which a map counts as torn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipsoid:
    """An ellipsoid of revolution."""

    axis: float
    """Semi-major axis, m."""
    e2: float
    """Eccentricity squared; 0 for a sphere."""

    def zone(self, middle: DoubleArray, height: DoubleArray) -> DoubleArray:
        """The area between two parallels, per radian of longitude.

        The authalic formula, in a form that keeps all digits for parallels that are close together.

        Parameters
        ----------
        middle
            Mean of both geodetic latitudes, radians.
        height
            Their difference, radians.

        Returns
        -------
        NDArray
            float64, m² per radian; the sign of ``height``.

        References
        ----------
        Snyder, Map Projections: A Working Manual (USGS 1395, 1987), equation 3-12.
        """
        south, north = np.sin(middle - height / 2), np.sin(middle + height / 2)
        rise = 2 * np.cos(middle) * np.sin(height / 2)
        product = 1 - self.e2 * south * north
        first = rise * (1 + self.e2 * south * north) / ((1 - self.e2 * south**2) * (1 - self.e2 * north**2))
        e = np.sqrt(self.e2)
        second = np.arctanh(e * rise / product) / e if e else rise
        area: DoubleArray = self.axis**2 * (1 - self.e2) / 2 * (first + second)
        return area

    def radii_product(self, latitude: DoubleArray) -> DoubleArray:
        """Product of both radii of curvature, m²: ground per steradian of the directions of its normals."""
        product: DoubleArray = self.axis**2 * (1 - self.e2) / (1 - self.e2 * np.sin(latitude) ** 2) ** 2
        return product


@dataclass(frozen=True, slots=True, kw_only=True)
class MapScale:
    """How much ground lies under a CRS: the inverse of its areal scale, in m² per square unit of coordinates.

    The differences are of the map itself, from coordinates to normals of the ellipsoid, which is smooth at poles and at
    the antimeridian. ``pyproj.Proj.get_factors`` is not used: it puts the Pseudo Mercator of EPSG:3857 on a sphere,
    which is 0.3 % off at 60°.
    """

    wkt: str

    def at(self, x: DoubleArray, y: DoubleArray, step: float = DIFFERENCE_STEP) -> DoubleArray:
        """The ground under points.

        Parameters
        ----------
        x, y
            Coordinates, x before y.
        step
            Of the differences, radians.

        Returns
        -------
        NDArray
            float64, m² per square unit; NaN where the map has no place or is not smooth.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            if is_degrees(self.wkt):
                return self._degrees(y)
            return self._projected(x, y, step)

    def _degrees(self, y: DoubleArray) -> DoubleArray:
        latitude = y * unit_size(self.wkt)
        ground = ellipsoid_of(self.wkt).radii_product(latitude) * np.cos(latitude) * unit_size(self.wkt) ** 2
        return np.maximum(ground, 0.0)

    def _projected(self, x: DoubleArray, y: DoubleArray, step: float) -> DoubleArray:
        h = step * axis_in_units(self.wkt)
        moves = np.array([(0, 0), *((i, 0) for i in DIFFERENCE_STEPS), *((0, i) for i in DIFFERENCE_STEPS)]) * h
        normals = self._normals(np.add.outer(moves[:, 0], x), np.add.outer(moves[:, 1], y))
        along_x, along_y = normals[:, 1 : len(DIFFERENCE_STEPS) + 1], normals[:, len(DIFFERENCE_STEPS) + 1 :]
        fine, short = (
            _triple(normals[:, 0], _derivative(along_x, weights) / h, _derivative(along_y, weights) / h)
            for weights in (CENTRAL, SHORT)
        )
        steradians = np.where(np.abs(fine - short) <= SMOOTH * np.abs(fine), np.abs(fine), np.nan)
        return steradians * ellipsoid_of(self.wkt).radii_product(np.arcsin(np.clip(normals[2, 0], -1, 1)))

    def _normals(self, x: DoubleArray, y: DoubleArray) -> DoubleArray:
        """(3, …) unit normals of the ellipsoid at points of the map; not finite where it has no place."""
        transformer, unit = _to_degrees(self.wkt)
        degrees = transformer.transform(x, y)
        longitude, latitude = (np.asarray(values, dtype=np.float64) * unit for values in degrees)
        return np.stack((np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)))


def _derivative(normals: DoubleArray, weights: tuple[float, ...]) -> DoubleArray:
    """Central difference of normals, (3, DIFFERENCE_STEPS, …), per step."""
    return np.tensordot(np.array(weights), normals, axes=(0, 1))


def _triple(first: DoubleArray, second: DoubleArray, third: DoubleArray) -> DoubleArray:
    """Volume spanned by three vectors, (3, …) each."""
    volume: DoubleArray = (first * np.cross(second, third, axis=0)).sum(axis=0)
    return volume


@functools.lru_cache(maxsize=64)
def parsed(wkt: str) -> CRS:
    """A CRS, without its height.

    Raises
    ------
    InputError
        PROJ does not know it.
    """
    try:
        crs = CRS.from_user_input(wkt)
    except CRSError as error:
        raise InputError(
            f"The CRS {wkt[:60]}… is not one that PROJ knows, so that no pixel has an area. Give the raster a CRS that "
            f"`projinfo` can read: gdal_edit.py -a_srs EPSG:CODE FILE."
        ) from error
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    return crs.sub_crs_list[0] if crs.is_compound else crs


def has_datum(wkt: str) -> bool:
    """Whether a CRS lies on an ellipsoid; that of an engineering CRS does not."""
    crs = parsed(wkt)
    return crs.geodetic_crs is not None and crs.ellipsoid is not None


@functools.lru_cache(maxsize=64)
def is_degrees(wkt: str) -> bool:
    """Whether coordinates are longitudes and latitudes themselves, and not those of a rotated pole."""
    crs = parsed(wkt)
    return bool(crs.is_geographic) and not crs.type_name.startswith("Derived")


def _base(wkt: str) -> CRS:
    """The CRS of longitudes and latitudes that a map is made from, so that no datum is changed."""
    crs = parsed(wkt)
    base: Any = crs.source_crs if crs.is_geographic and not is_degrees(wkt) else crs.geodetic_crs
    assert base is not None
    return CRS.from_user_input(base)


@functools.lru_cache(maxsize=64)
def ellipsoid_of(wkt: str) -> Ellipsoid:
    """The ellipsoid under a CRS."""
    ellipsoid = _base(wkt).ellipsoid
    assert ellipsoid is not None
    axis, minor = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
    return Ellipsoid(axis=axis, e2=(axis - minor) * (axis + minor) / axis**2)


@functools.lru_cache(maxsize=64)
def unit_size(wkt: str) -> float:
    """Metres, or radians, of one unit of a CRS's coordinates."""
    return float(parsed(wkt).axis_info[0].unit_conversion_factor)


@functools.lru_cache(maxsize=64)
def axis_in_units(wkt: str) -> float:
    """What a radian of the ellipsoid's axis measures in the units of a CRS."""
    crs = parsed(wkt)
    return (1.0 if crs.is_geographic else ellipsoid_of(wkt).axis) / unit_size(wkt)


@functools.lru_cache(maxsize=64)
def _to_degrees(wkt: str) -> tuple[Transformer, float]:
    """From a map to longitudes and latitudes, and the radians of their unit."""
    base = _base(wkt)
    unit = float(base.axis_info[0].unit_conversion_factor)
    return Transformer.from_crs(parsed(wkt), base, always_xy=True), unit
