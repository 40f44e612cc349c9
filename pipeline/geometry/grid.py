"""Where a raster lies: size, transform, CRS and pixel size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

UNIT_TAG = "WHOLECLOTH_UNIT"
"""Dataset tag that says what the transform counts in where there is no CRS: ``um``."""

Transform = tuple[float, float, float, float, float, float]
"""Affine coefficients (a, b, c, d, e, f): x = a·col + b·row + c, y = d·col + e·row + f, at the pixel's corner."""

IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def slide_px(step: tuple[float, float], corner: tuple[float, float]) -> Transform:
    """Corner of a pixel to columns and rows of a slide's level 0.

    Parameters
    ----------
    step
        (height, width) of a pixel, px of level 0.
    corner
        (row, col) of the grid's corner, px of level 0.
    """
    return (step[1], 0.0, corner[1], 0.0, step[0], corner[0])


def id_dtype(height: int, width: int) -> Literal["uint32", "uint64"]:
    """The dtype that holds 1 + the row-major index of any pixel of a grid, whose size is given in px."""
    return "uint32" if height * width < 2**32 else "uint64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The georeference of a raster."""

    height: int
    """Rows, px."""
    width: int
    """Columns, px."""
    transform: Transform = IDENTITY
    """Pixel corner to CRS units (or µm)."""
    wkt: str | None = None
    """CRS as WKT2, or None where there is none."""
    code: str | None = None
    """CRS as AUTHORITY:CODE where it has one."""
    unit: Literal["crs", "um", "px"] = "px"
    """What the transform counts in: the CRS's unit, micrometres (slides), or nothing but pixels."""
    image_px: Transform = field(default=IDENTITY, compare=False)
    """Pixel corner to columns and rows of the image in full resolution, of which a slide may be read below.

    Polygons without a CRS are drawn in these.
    """

    @property
    def axis_aligned(self) -> bool:
        """Whether rows and columns run along y and x."""
        return self.transform[1] == 0 and self.transform[3] == 0

    @property
    def of_polygons(self) -> Transform:
        """Pixel corner to what polygons count in: the CRS, or without one the pixels of the image."""
        return self.image_px if self.wkt is None else self.transform

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(height, width) of a pixel in the transform's units."""
        a, b, _, d, e, _ = self.transform
        return math.hypot(b, e), math.hypot(a, d)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outline in the transform's units."""
        a, b, c, d, e, f = self.transform
        xs = [a * col + b * row + c for row in (0, self.height) for col in (0, self.width)]
        ys = [d * col + e * row + f for row in (0, self.height) for col in (0, self.width)]
        return min(xs), min(ys), max(xs), max(ys)

    def level(self, k: int) -> Grid:
        """The grid of overview ``k``.

        Size halved k times and rounded up, the pixel 2^k times as large, the same corner.
        """
        n = 2**k
        return replace(
            self,
            height=-(-self.height // n),
            width=-(-self.width // n),
            transform=_enlarged(self.transform, n),
            image_px=_enlarged(self.image_px, n),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a fingerprint or a report."""
        return {
            "height": self.height,
            "width": self.width,
            "transform": list(self.transform),
            "crs": self.code or self.wkt,
            "unit": self.unit,
        }


def _enlarged(transform: Transform, factor: int) -> Transform:
    """Of pixels so many times as large, from the same corner."""
    a, b, c, d, e, f = transform
    return (a * factor, b * factor, c, d * factor, e * factor, f)
