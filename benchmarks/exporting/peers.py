"""Polygons as people make them by hand: ``rasterio.features.shapes`` over the whole mask, written by pyogrio.

`python -m benchmarks.exporting.peers MASK.tif OUT.gpkg` makes them.
"""

from __future__ import annotations

import sys

import numpy as np
import pyogrio
import rasterio
import shapely
from rasterio.features import shapes


def main(mask: str, out: str) -> None:
    """Trace a mask and write its polygons with their codes."""
    with rasterio.open(mask) as raster:
        codes, crs, nodata = raster.read(1), raster.crs, raster.nodata
        found = list(shapes(codes, codes != nodata, transform=raster.transform))
    geometry = shapely.to_wkb([shapely.geometry.shape(outline) for outline, _ in found])
    pyogrio.raw.write(
        out,
        geometry,
        [np.array([int(code) for _, code in found])],
        fields=["code"],
        layer="objects",
        driver="GPKG",
        geometry_type="Polygon",
        crs=crs.to_wkt(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
