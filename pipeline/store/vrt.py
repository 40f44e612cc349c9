"""A VRT beside the store: GDAL's and QGIS's way to palette, class names and overviews."""

from __future__ import annotations

from xml.sax.saxutils import escape

from pipeline.store.spec import ClassRow, StoreSpec


def document(spec: StoreSpec, store: str) -> str:
    """The VRT of a store.

    Parameters
    ----------
    spec
        The store's spec.
    store
        Name of the store, relative to the VRT.
    """
    a, b, c, d, e, f = spec.grid.transform
    srs = f'  <SRS dataAxisToSRSAxisMapping="{_axes(spec)}">{escape(spec.grid.wkt)}</SRS>\n' if spec.grid.wkt else ""
    return (
        f'<VRTDataset rasterXSize="{spec.grid.width}" rasterYSize="{spec.grid.height}">\n{srs}'
        f"  <GeoTransform>{c!r}, {a!r}, {b!r}, {f!r}, {d!r}, {e!r}</GeoTransform>\n"
        f"{_band(spec, store)}</VRTDataset>\n"
    )


def _axes(spec: StoreSpec) -> str:
    """Rasters are east-north; a geographic CRS of EPSG is north-east."""
    from pyproj import CRS

    first = CRS.from_wkt(spec.grid.wkt or "").axis_info[:1]
    return "2,1" if first and first[0].direction.lower() in ("north", "south") else "1,2"


def _band(spec: StoreSpec, store: str) -> str:
    kind = {"uint8": "Byte", "uint16": "UInt16"}[spec.dtype]
    overviews = "".join(f"    <Overview>\n{_source(f'{store}/{k}/mask')}    </Overview>\n" for k in range(1, spec.levels))
    return (
        f'  <VRTRasterBand dataType="{kind}" band="1">\n    <Description>class</Description>\n    <NoDataValue>{spec.nodata}</NoDataValue>\n'
        f"    <ColorInterp>Palette</ColorInterp>\n{_names(spec.classes)}{_palette(spec)}"
        f"    <SimpleSource>\n{_source(f'{store}/0/mask')}    </SimpleSource>\n{overviews}  </VRTRasterBand>\n"
    )


def _source(name: str) -> str:
    return f'      <SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename>\n      <SourceBand>1</SourceBand>\n'


def _names(classes: tuple[ClassRow, ...]) -> str:
    by_code = {row.code: row.name for row in classes}
    entries = "".join(f"      <Category>{escape(by_code.get(code, ''))}</Category>\n" for code in range(max(by_code) + 1))
    return f"    <CategoryNames>\n{entries}    </CategoryNames>\n"


def _palette(spec: StoreSpec) -> str:
    by_code = {row.code: (*row.rgb, 255) for row in spec.classes}
    last = max(*by_code, spec.nodata if spec.dtype == "uint8" else 0)
    entries = (by_code.get(code, (0, 0, 0, 0)) for code in range(last + 1))
    said = "".join(f'      <Entry c1="{r}" c2="{g}" c3="{b}" c4="{alpha}"/>\n' for r, g, b, alpha in entries)
    return f"    <ColorTable>\n{said}    </ColorTable>\n"
