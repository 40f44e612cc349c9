"""Class names and colours as GDAL's XML says them, and the PAM sidecar by which the bare array has them too."""

from __future__ import annotations

from xml.sax.saxutils import escape

from pipeline.exports.mark import Mark
from pipeline.store.spec import StoreSpec

_CLEAR = (0, 0, 0, 0)


def pam_key(spec: StoreSpec, layer: str = "mask") -> str:
    """Where GDAL looks: beside the metadata of a layer of classes, which is the file that it says it has opened."""
    return f"0/{layer}/{'zarr.json' if spec.zarr_format == 3 else '.zarray'}.aux.xml"


def pam(spec: StoreSpec, layer: str = "mask") -> str:
    """The PAM sidecar of a layer of classes.

    GDAL files what it knows of an array under the view through which rasters are read.
    """
    return (
        "<PAMDataset>\n  <DerivedDataset "
        f'name="AsClassicDataset(1,0) view of /0/{layer}">\n  <PAMDataset>\n  '
        '<PAMRasterBand band="1">\n'
        f"    <Description>class</Description>\n    <ColorInterp>Palette</ColorInterp>\n{names(spec)}{colors(spec)}"
        "  </PAMRasterBand>\n  </PAMDataset>\n  </DerivedDataset>\n</PAMDataset>\n"
    )


def names_beside(spec: StoreSpec, mark: Mark) -> str:
    """The PAM sidecar of a GeoTIFF of classes: their names, for which TIFF has no place."""
    return (
        f'<PAMDataset>\n  <Metadata>\n    <MDI key="WHOLECLOTH_EXPORT">{mark}</MDI>\n  </Metadata>\n'
        f'  <PAMRasterBand band="1">\n{names(spec)}  </PAMRasterBand>\n</PAMDataset>\n'
    )


def names(spec: StoreSpec) -> str:
    """Category names, from code 0 to the highest; codes that no class has are nameless."""
    by_code = {row.code: row.name for row in spec.classes}
    entries = "".join(
        f"      <Category>{escape(by_code.get(code, ''))}</Category>\n" for code in range(max(by_code) + 1)
    )
    return f"    <CategoryNames>\n{entries}    </CategoryNames>\n"


def colors(spec: StoreSpec) -> str:
    """The colour table; codes that no class has are clear, and so is nodata."""
    by_code = {row.code: (*row.rgb, 255) for row in spec.classes}
    last = max(*by_code, spec.nodata if spec.dtype == "uint8" else 0)
    entries = (by_code.get(code, _CLEAR) for code in range(last + 1))
    lines = "".join(f'      <Entry c1="{r}" c2="{g}" c3="{b}" c4="{alpha}"/>\n' for r, g, b, alpha in entries)
    return f"    <ColorTable>\n{lines}    </ColorTable>\n"
