"""A VRT beside the store: GDAL's and QGIS's way to palette, class names and overviews."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.exports import gdal_palette
from pipeline.locations import Place
from pipeline.store.files import belongs_to_others, files_at
from pipeline.store.spec import StoreSpec

VRT_MARK = '<MDI key="WHOLECLOTH">sidecar of a mask store</MDI>'
"""By this a VRT is known as ours, and may be replaced."""


def write(path: Place, spec: StoreSpec) -> Place:
    """Write the VRT of a store beside the store."""
    beside = vrt_sidecar(path)
    files_at(beside.parent).put(beside.name, vrt_document(spec, path.name).encode())
    return beside


def vrt_sidecar(path: Place) -> Place:
    """Where the VRT of a store goes.

    ``scene.vrt``, or ``scene.zarr.vrt`` where somebody else's ``scene.vrt`` stands, such as the source.
    """
    beside = path.with_suffix(".vrt")
    return path.with_name(f"{path.name}.vrt") if belongs_to_others(beside, VRT_MARK) else beside


def vrt_document(spec: StoreSpec, store: str) -> str:
    """The VRT of a store.

    Parameters
    ----------
    spec
        The store's spec.
    store
        Name of the store, relative to the VRT.
    """
    a, b, c, d, e, f = spec.grid.transform
    srs = (
        f"  <SRS dataAxisToSRSAxisMapping={quoteattr(axes(spec.grid.wkt))}>{escape(spec.grid.wkt)}</SRS>\n"
        if spec.grid.wkt
        else ""
    )
    return (
        f'<VRTDataset rasterXSize="{spec.grid.width}" rasterYSize="{spec.grid.height}">\n{srs}'
        f"  <GeoTransform>{c!r}, {a!r}, {b!r}, {f!r}, {d!r}, {e!r}</GeoTransform>\n  <Metadata>\n    "
        f"{VRT_MARK}\n  </Metadata>\n"
        f"{_band(spec, store)}</VRTDataset>\n"
    )


def axes(wkt: str) -> str:
    """Which axis of the CRS is x and which is y: a raster is east-north, but many a CRS is north-east.

    The rule is that of GDAL's traditional order: first north then east, or, about the poles where all axes point alike,
    first a northing then an easting.
    """
    try:
        info = CRS.from_wkt(wkt).axis_info[:2]
    except CRSError:  # GDAL knows more dialects than PROJ; those were never north-east
        return "1,2"
    directions, names = [axis.direction.lower() for axis in info], [axis.name.lower() for axis in info]
    swapped = directions == ["north", "east"] or (len(set(directions)) == 1 and names[0].startswith("northing"))
    return "2,1" if swapped else "1,2"


def _band(spec: StoreSpec, store: str) -> str:
    kind = {"uint8": "Byte", "uint16": "UInt16"}[spec.dtype]
    overviews = "".join(
        f"    <Overview>\n{_source(f'{store}/{k}/mask')}    </Overview>\n" for k in range(1, spec.levels)
    )
    return (
        f'  <VRTRasterBand dataType="{kind}" band="1">\n    <Description>class</Description>\n    '
        f"<NoDataValue>{spec.nodata}</NoDataValue>\n"
        f"    <ColorInterp>Palette</ColorInterp>\n{gdal_palette.names(spec)}{gdal_palette.colors(spec)}"
        f"    <SimpleSource>\n{_source(f'{store}/0/mask')}    </SimpleSource>\n{overviews}  </VRTRasterBand>\n"
    )


def _source(name: str) -> str:
    """A bare path to the array: with ``ZARR:"…"`` around it, a relative path is not followed."""
    return (
        f'      <SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename>\n      <SourceBand>1</SourceBand>\n'
    )
