"""What a raster says of where it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

from pipeline.geometry.grid import UNIT_TAG, Grid
from pipeline.sources.gdal import netcdf
from pipeline.sources.gdal.ome_zarr import ome_size
from pipeline.sources.gdal.options import Settings
from pipeline.sources.gdal.pixel_size import pixel_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Georeference:
    """Where a raster lies, and who says so."""

    grid: Grid
    settings: Settings = ()
    """What GDAL is told so that its rows are in that order."""
    notes: tuple[str, ...] = ()
    """In words, where it is not the georeference itself."""


def georeference_of(dataset: DatasetReader, path: str) -> Georeference:
    """The grid of an open raster by its georeference, else by its coordinates, else by the tags of a microscope."""
    grid = grid_of(dataset)
    if grid.wkt is not None or grid.transform != netcdf.IDENTITY_TRANSFORM:
        return Georeference(grid=grid)
    if (place := netcdf.netcdf_transform(dataset, path)) is not None:
        return Georeference(grid=replace(grid, transform=place[0]), settings=place[1], notes=("it lies where its coordinates say; they name no CRS",))
    if (size := pixel_size(dataset.tags()) or ome_size(dataset)) is not None:
        transform = (size.width, 0.0, 0.0, 0.0, size.height, 0.0)
        return Georeference(grid=replace(grid, transform=transform, unit="um"), notes=(size.note,))
    return Georeference(grid=grid)


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
