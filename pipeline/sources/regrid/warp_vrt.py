"""GDAL's own description of a warp: a virtual raster over another, with an exact transformer and a fixed scale.

rasterio makes such a raster too, but leaves out ground control points and polynomials where the grid is given, and
never goes without an approximation of the transformer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import MemoryFile

from pipeline.geometry.crs import same_crs
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.regrid.placement import Placement

RESAMPLING = {
    "nearest": "NearestNeighbour",
    "bilinear": "Bilinear",
    "cubic": "Cubic",
    "lanczos": "Lanczos",
    "average": "Average",
}
"""GDAL's names."""
TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
"""GDAL's names."""
SOURCE_EXTRA = 10
"""Pixels that GDAL reads around what its samples of a window's outline find."""


def warp_xml(
    *,
    source: str,
    bands: int,
    dtype: str,
    placement: Placement,
    target: Grid,
    resampling: str,
    scale: tuple[float, float],
    block: int,
) -> str:
    """A virtual raster of some bands and, last, alpha: not 0 where a pixel's centre lies in the source.

    Parameters
    ----------
    source
        Path of the raster that is warped, in its full size.
    bands
        Of the source, all of one dtype.
    dtype
        numpy's name of it; that of the result as well.
    placement
        Of the source.
    target
        Size, transform and CRS of the result.
    resampling
        A key of `RESAMPLING`.
    scale
        (x, y) as `kernel_scale` has it.
    block
        Rows and columns that GDAL warps at once, px.
    """
    a, b, c, d, e, f = target.transform
    transform, wkt = f"{c!r},{a!r},{b!r},{f!r},{d!r},{e!r}", _srs(target.wkt or "")
    kind = TYPES[dtype]
    names = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{k}" subClass="VRTWarpedRasterBand">'
        f"{'<ColorInterp>Alpha</ColorInterp>' if k > bands else ''}</VRTRasterBand>"
        for k in range(1, bands + 2)
    )
    options = {
        "INIT_DEST": "0",
        "SAMPLE_GRID": "YES",
        "SOURCE_EXTRA": SOURCE_EXTRA,
        "XSCALE": repr(scale[0]),
        "YSCALE": repr(scale[1]),
    }
    listed = "".join(f'<Option name="{name}">{value}</Option>' for name, value in options.items())
    mapping = "".join(f'<BandMapping src="{k}" dst="{k}"/>' for k in range(1, bands + 1))
    return (
        f'<VRTDataset rasterXSize="{target.width}" rasterYSize="{target.height}" subClass="VRTWarpedDataset">'
        f"<SRS>{wkt}</SRS><GeoTransform>{transform}</GeoTransform>{names}"
        f"<BlockXSize>{min(block, target.width)}</BlockXSize><BlockYSize>{min(block, target.height)}</BlockYSize>"
        f"<GDALWarpOptions><ResampleAlg>{RESAMPLING[resampling]}</ResampleAlg>"
        f"<WorkingDataType>{kind}</WorkingDataType>{listed}"
        f'<SourceDataset relativeToVRT="0">{escape(source)}</SourceDataset>'
        f"<Transformer><GenImgProjTransformer>{placement.xml()}{_reprojection(placement.wkt, target)}"
        f"<DstGeoTransform>{transform}</DstGeoTransform>"
        f"</GenImgProjTransformer></Transformer>"
        f"<BandList>{mapping}</BandList><DstAlphaBand>{bands + 1}</DstAlphaBand></GDALWarpOptions></VRTDataset>"
    )


def _reprojection(wkt: str, target: Grid) -> str:
    """The part of GDAL's transformer between two CRS; nothing where they are one."""
    if same_crs(wkt, target.wkt):
        return ""
    return (
        f"<ReprojectTransformer><ReprojectionTransformer><SourceSRS>{_srs(wkt)}</SourceSRS>"
        f"<TargetSRS>{_srs(target.wkt or '')}</TargetSRS></ReprojectionTransformer></ReprojectTransformer>"
    )


def _srs(wkt: str) -> str:
    """A CRS as GDAL writes it, for an element; what its own form cannot say is kept as it is."""
    try:
        return escape(CRS.from_user_input(wkt).to_wkt())
    except CRSError:
        return escape(wkt)


@contextmanager
def full_size(data: npt.NDArray[Any], window: Window, size: tuple[int, int]) -> Iterator[str]:
    """Path of a virtual raster of a size that holds some pixels at their window, and nothing elsewhere.

    Places of pixels are those of the whole raster, and so round as they do there, whatever the window.
    """
    bands, height, width = data.shape
    with MemoryFile() as pixels, MemoryFile(ext=".vrt") as whole:
        with pixels.open(driver="GTiff", height=height, width=width, count=bands, dtype=data.dtype) as dataset:
            dataset.write(data)
        frame = f'xOff="0" yOff="0" xSize="{width}" ySize="{height}"'
        place = f'xOff="{window.col}" yOff="{window.row}" xSize="{width}" ySize="{height}"'
        rows = "".join(
            f'<VRTRasterBand dataType="{TYPES[str(data.dtype)]}" band="{k}"><SimpleSource>'
            f'<SourceFilename relativeToVRT="0">{pixels.name}</SourceFilename><SourceBand>{k}</SourceBand>'
            f"<SrcRect {frame}/><DstRect {place}/></SimpleSource></VRTRasterBand>"
            for k in range(1, bands + 1)
        )
        whole.write(f'<VRTDataset rasterXSize="{size[1]}" rasterYSize="{size[0]}">{rows}</VRTDataset>'.encode())
        yield whole.name
