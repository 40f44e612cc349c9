"""Where a raster lies: size, transform, CRS and pixel size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

UNIT_TAG = "WHOLECLOTH_UNIT"
"""Dataset tag that says what the transform counts in where there is no CRS: ``um``."""

Transform = tuple[float, float, float, float, float, float]
"""Affine coefficients (a, b, c, d, e, f): x = a·col + b·row + c, y = d·col + e·row + f, at the pixel's corner."""


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
    transform: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    """Pixel corner to CRS units (or µm)."""
    wkt: str | None = None
    """CRS as WKT2, or None where there is none."""
    code: str | None = None
    """CRS as AUTHORITY:CODE where it has one."""
    unit: Literal["crs", "um", "px"] = "px"
    """What the transform counts in: the CRS's unit, micrometres (slides), or nothing but pixels."""

    @property
    def axis_aligned(self) -> bool:
        """Whether rows and columns run along y and x."""
        return self.transform[1] == 0 and self.transform[3] == 0

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
        a, b, c, d, e, f = self.transform
        n = 2**k
        return Grid(
            height=-(-self.height // n),
            width=-(-self.width // n),
            transform=(a * n, b * n, c, d * n, e * n, f),
            wkt=self.wkt,
            code=self.code,
            unit=self.unit,
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
