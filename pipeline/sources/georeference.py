"""What a raster says of where it lies."""

from __future__ import annotations

from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

from pipeline.raster.grid import UNIT_TAG, Grid


def grid_of(dataset: DatasetReader) -> Grid:
    """The grid of an open raster.

    Ground control points are no transform: a raster that has nothing else keeps pixel coordinates, and the GCPs' CRS is
    not claimed for them.
    """
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    crs = dataset.crs if dataset.crs else None
    unit = "crs" if crs else "um" if dataset.tags().get(UNIT_TAG) == "um" else "px"
    return Grid(
        height=dataset.height,
        width=dataset.width,
        transform=(a, b, c, d, e, f),
        wkt=_wkt(crs) if crs else None,
        code=_code(crs) if crs else None,
        unit=unit,  # type: ignore[arg-type]  # one of the three literals above
    )


def _wkt(crs: CRS) -> str:
    try:
        return str(crs.to_wkt(version=WktVersion.WKT2_2019))
    except CRSError:  # what WKT2 cannot say is kept as it is
        return str(crs.to_wkt())


def _code(crs: CRS) -> str | None:
    """AUTHORITY:CODE, only where it is the same CRS and no nearest match."""
    authority = crs.to_authority(confidence_threshold=100)
    if authority is None:
        return None
    try:
        return ":".join(authority) if CRS.from_authority(*authority) == crs else None
    except CRSError:
        return None
