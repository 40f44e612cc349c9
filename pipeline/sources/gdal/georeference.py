"""Where a raster lies: by its georeference, by the coordinates of a NetCDF file, or by a microscope's tags."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader

from pipeline.errors import SourceError
from pipeline.geometry.grid import IDENTITY, UNIT_TAG, Grid, Transform
from pipeline.sources.gdal.ome_zarr import ome_size
from pipeline.sources.gdal.options import Settings, mask_urls
from pipeline.sources.gdal.pixel_size import PixelSize, pixel_size, printed_note, printed_size

AXIS_NAMES = (("y", "x"), ("Y", "X"), ("lat", "lon"), ("latitude", "longitude"), ("northing", "easting"))
"""Names of the two coordinates of a NetCDF variable, by which it is located where attributes are missing."""
TOP_DOWN: Settings = (("GDAL_NETCDF_BOTTOMUP", "NO"),)
"""GDAL takes a variable of which it knows no coordinates for one whose first row is its lowest."""
EVEN = 1e-3
"""Share of a step by which coordinates may be off an even lattice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Georeference:
    """Where a raster lies, and who says so."""

    grid: Grid
    settings: Settings = ()
    """What GDAL is told so that its rows are in that order."""
    notes: tuple[str, ...] = ()
    """In words, where it is not the georeference itself."""


def georeference_of(dataset: DatasetReader, path: str, given: PixelSize | None = None) -> Georeference:
    """The grid of an open raster by its georeference, else by its coordinates, else by the tags of a microscope.

    Parameters
    ----------
    dataset
        An open raster.
    path
        Of it.
    given
        What the config says of the size of a pixel, which overrules the tags.

    Raises
    ------
    SourceError
        A size is given, but the raster has a CRS.
    """
    grid = grid_of(dataset)
    if given is not None:
        return _with_given(grid, given, path, pixel_size(dataset.tags()) or ome_size(dataset))
    if grid.wkt is not None or grid.transform != IDENTITY:
        return Georeference(grid=grid)
    if (place := netcdf_transform(dataset, path)) is not None:
        return Georeference(
            grid=replace(grid, transform=place[0]),
            settings=place[1],
            notes=("it lies where its coordinates say; they name no CRS",),
        )
    if (size := pixel_size(dataset.tags()) or ome_size(dataset)) is not None:
        transform = (size.width, 0.0, 0.0, 0.0, size.height, 0.0)
        return Georeference(grid=replace(grid, transform=transform, unit="um"), notes=(size.note,))
    printed = printed_size(dataset.tags())
    return Georeference(grid=grid, notes=(printed_note(printed),) if printed else ())


def _with_given(grid: Grid, given: PixelSize, path: str, stated: PixelSize | None) -> Georeference:
    """A grid with the pixels of the config; where it was cut from a larger one, it stays as many pixels away."""
    if grid.wkt is not None:
        raise SourceError(
            f"source.pixel_size is {given.width:g} µm, but {mask_urls(path)} has a CRS, which says how large its "
            f"pixels are. Leave source.pixel_size out."
        )
    a, _, c, _, e, f = grid.transform
    transform = (given.width, 0.0, c / a * given.width, 0.0, given.height, f / e * given.height)
    instead = f", in place of {stated.text}" if stated else ""
    return Georeference(grid=replace(grid, transform=transform, unit="um"), notes=(f"{given.text}{instead}",))


def grid_of(dataset: DatasetReader) -> Grid:
    """The grid of an open raster.

    Ground control points are no transform: a raster that has nothing else keeps pixel coordinates, and the GCPs' CRS is
    not claimed for them.
    """
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    crs = dataset.crs if dataset.crs else None
    wkt, code = crs_texts(crs) if crs else (None, None)
    unit = "crs" if crs else "um" if dataset.tags().get(UNIT_TAG) == "um" else "px"
    return Grid(
        height=dataset.height,
        width=dataset.width,
        transform=(a, b, c, d, e, f),
        wkt=wkt,
        code=code,
        unit=unit,  # type: ignore[arg-type]  # one of the three literals above
    )


def crs_texts(crs: CRS) -> tuple[str, str | None]:
    """A CRS as WKT, and as AUTHORITY:CODE where it has one."""
    wkt = _wkt(crs)
    return wkt, _code(_Crs(wkt=wkt, crs=crs))


def _wkt(crs: CRS) -> str:
    try:
        return str(crs.to_wkt(version=WktVersion.WKT2_2019))
    except CRSError:  # what WKT2 cannot say is kept as it is
        return str(crs.to_wkt())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crs:
    """A CRS that is told from others by its text."""

    wkt: str
    crs: CRS = field(compare=False)


@functools.lru_cache(maxsize=64)
def _code(named: _Crs) -> str | None:
    """AUTHORITY:CODE, only where it is the same CRS and no nearest match; thousands of files have one in common."""
    crs = named.crs
    authority = crs.to_authority(confidence_threshold=100)
    if authority is None:
        return None
    try:
        return ":".join(authority) if CRS.from_authority(*authority) == crs else None
    except CRSError:
        return None


def netcdf_transform(dataset: DatasetReader, path: str) -> tuple[Transform, Settings] | None:
    """Transform of a variable by its coordinates, and how GDAL has to be told which row is the first.

    Returns
    -------
    tuple or None
        None where GDAL knows the place, or nothing says it.
    """
    if dataset.driver != "netCDF" or tuple(dataset.transform)[:6] != IDENTITY:
        return None
    name = re.sub(r'^netcdf:"?([^"]+?)"?:[^:]+$', r"\1", path, flags=re.I)
    for names in AXIS_NAMES:
        y, x = (_coordinate(name, axis, count) for axis, count in zip(names, dataset.shape, strict=True))
        if y is not None and x is not None:
            (top, down), (left, right) = (y if y[1] < 0 else (y[0] + y[1] * (dataset.height - 1), -y[1])), x
            return (right, 0.0, left - right / 2, 0.0, down, top - down / 2), TOP_DOWN if y[1] < 0 else ()
    return None


def _coordinate(name: str, axis: str, count: int) -> tuple[float, float] | None:
    """First value and step of a coordinate that is even."""
    try:
        with rasterio.open(f'NETCDF:"{name}":{axis}') as variable:
            if variable.width * variable.height != count or count < 2:
                return None
            values = variable.read(1).ravel().astype(np.float64)
    except (RasterioError, OSError):
        return None
    step = (values[-1] - values[0]) / (count - 1)
    even = np.isfinite(values).all() and step != 0 and bool((np.abs(np.diff(values) - step) <= abs(step) * EVEN).all())
    return (float(values[0]), float(step)) if even else None
