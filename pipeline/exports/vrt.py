"""A VRT beside the store: GDAL's and QGIS's way to palette, class names and overviews."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.exports import gdal_palette
from pipeline.exports.geotiff.template import file_dtype, nodata_of
from pipeline.exports.mark import is_foreign
from pipeline.exports.qml import class_style
from pipeline.exports.task import ExportTask, main_layer
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.files import belongs_to_others, files_at
from pipeline.store.layers import CLASS_LAYERS
from pipeline.store.spec import StoreSpec
from pipeline.store.values import ValuesSpec

VRT_MARK = '<MDI key="WHOLECLOTH">sidecar of a mask store</MDI>'
"""By this a VRT is known as ours, and may be replaced."""

_KINDS = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "float32": "Float32",
}
"""GDAL's names of dtypes."""


def write(path: Place, spec: StoreSpec, task: ExportTask | None = None, raster: Place | None = None) -> Place:
    """Write the VRT of a store beside the store.

    Parameters
    ----------
    path, spec
        Of the store.
    task, raster
        The COG that the VRT lies over, and where it is; the arrays of the store, where there is none.
    """
    beside = vrt_sidecar(path)
    over = None if task is None or raster is None or raster.parent != beside.parent else raster.name
    document = vrt_document(spec, path.name) if task is None or over is None else raster_vrt(task, over)
    files_at(beside.parent).put(beside.name, document.encode())
    if task is not None and task.layer in CLASS_LAYERS:
        style = beside.with_suffix(".qml")
        if not is_foreign(style, path.name):
            files_at(style.parent).put(style.name, class_style(spec, task.mark))
    return beside


def vrt_sidecar(path: Place) -> Place:
    """Where the VRT of a store goes.

    ``scene.vrt``, or ``scene.zarr.vrt`` where somebody else's ``scene.vrt`` stands, such as the source.
    """
    beside = path.with_suffix(".vrt")
    return path.with_name(f"{path.name}.vrt") if belongs_to_others(beside, VRT_MARK) else beside


def vrt_document(spec: StoreSpec, store: str) -> str:
    """The VRT over the arrays of a store, for GDAL from 3.12 on.

    Parameters
    ----------
    spec
        The store's spec.
    store
        Name of the store, relative to the VRT.
    """
    layer = main_layer(spec)
    of = spec.layer(layer)
    sources = [_array_sources(spec, store, layer, band) for band in range(1, (of.planes or 1) + 1)]
    kind = _KINDS[{"float16": "float32"}.get(of.dtype, of.dtype)]
    bands = _class_band(spec, kind, sources[0]) if spec.classes else _number_bands(spec, layer, kind, of.fill, sources)
    return _document(spec.grid, spec.grid.wkt, bands)


def _array_sources(spec: StoreSpec, store: str, layer: str, band: int) -> str:
    """A plane of an array, with its overviews; of three dimensions GDAL has a band for each plane, from 3.8 on."""
    overviews = "".join(
        f"    <Overview>\n{_source(f'{store}/{k}/{layer}', band)}    </Overview>\n" for k in range(1, spec.levels)
    )
    return f"    <SimpleSource>\n{_source(f'{store}/0/{layer}', band)}    </SimpleSource>\n{overviews}"


def raster_vrt(task: ExportTask, name: str) -> str:
    """The VRT over a COG, which GDAL opens from 2.4 on: the CRS as WKT1, and the raster where the COG is a part of it.

    Parameters
    ----------
    task
        The COG's.
    name
        Of the COG, relative to the VRT.
    """
    part, spec = task.part, task.spec
    window = part.window
    size = f'xSize="{window.width}" ySize="{window.height}"'
    place = (
        f'      <SrcRect xOff="0" yOff="0" {size}/>\n      <DstRect xOff="{window.col}" yOff="{window.row}" {size}/>\n'
    )
    kind = _KINDS[file_dtype(part)]
    sources = [f"    <SimpleSource>\n{_source(name, k + 1)}{place}    </SimpleSource>\n" for k in range(part.planes)]
    bands = (
        _class_band(spec, kind, sources[0])
        if task.layer in CLASS_LAYERS
        else _number_bands(spec, task.layer, kind, nodata_of(part), sources)
    )
    return _document(spec.grid, wkt1(spec.grid.wkt), bands)


def wkt1(wkt: str | None) -> str | None:
    """A CRS as old readers know it; as it is where WKT1 has no words for it."""
    if wkt is None:
        return None
    try:
        return str(CRS.from_wkt(wkt).to_wkt("WKT1_GDAL"))
    except CRSError:
        return wkt


def _document(grid: Grid, wkt: str | None, bands: str) -> str:
    a, b, c, d, e, f = grid.transform
    srs = f"  <SRS dataAxisToSRSAxisMapping={quoteattr(axes(wkt))}>{escape(wkt)}</SRS>\n" if wkt else ""
    return (
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">\n{srs}'
        f"  <GeoTransform>{c!r}, {a!r}, {b!r}, {f!r}, {d!r}, {e!r}</GeoTransform>\n  <Metadata>\n    "
        f"{VRT_MARK}\n  </Metadata>\n"
        f"{bands}</VRTDataset>\n"
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


def _class_band(spec: StoreSpec, kind: str, sources: str) -> str:
    return (
        f'  <VRTRasterBand dataType="{kind}" band="1">\n    <Description>class</Description>\n    '
        f"<NoDataValue>{spec.nodata}</NoDataValue>\n"
        f"    <ColorInterp>Palette</ColorInterp>\n{gdal_palette.names(spec)}{gdal_palette.colors(spec)}"
        f"{sources}  </VRTRasterBand>\n"
    )


def _number_bands(spec: StoreSpec, layer: str, kind: str, nodata: float | None, sources: list[str]) -> str:
    """Bands of numbers; those of a network's own values with the names of its channels, and scale and offset."""
    of_channels = spec.layer(layer).axis == "channel"
    values = spec.values if layer == "values" else ValuesSpec(channels=spec.values.channels) if of_channels else None
    mark = "" if nodata is None else f"    <NoDataValue>{nodata:.17g}</NoDataValue>\n"
    names = [_channel(values, k) for k in range(len(sources))] if values is not None else [""] * len(sources)
    return "".join(
        f'  <VRTRasterBand dataType="{kind}" band="{band}">\n{name}{mark}{source}  </VRTRasterBand>\n'
        for band, (name, source) in enumerate(zip(names, sources, strict=True), start=1)
    )


def _channel(values: ValuesSpec, channel: int) -> str:
    """What a band says of a channel."""
    name = f"    <Description>{escape(values.channels[channel])}</Description>\n"
    if values.nodata is None:
        return name
    return f"{name}    <Offset>{values.offset[channel]!r}</Offset>\n    <Scale>{values.scale[channel]!r}</Scale>\n"


def _source(name: str, band: int = 1) -> str:
    """A bare path: with ``ZARR:"…"`` around that of an array, a relative path is not followed."""
    return (
        f'      <SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename>\n'
        f"      <SourceBand>{band}</SourceBand>\n"
    )
