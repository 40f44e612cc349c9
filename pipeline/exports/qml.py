"""QGIS's style of a raster of classes: names and colours in the list of layers."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from pipeline.exports.mark import Mark
from pipeline.store.spec import StoreSpec


def class_style(spec: StoreSpec, mark: Mark) -> bytes:
    """The style of a mask (https://docs.qgis.org/latest/en/docs/user_manual/appendices/qgis_file_formats.html)."""
    entries = "".join(
        f'        <paletteEntry value="{row.code}" label={quoteattr(row.name)} color="{row.color}" alpha="255"/>\n'
        for row in spec.classes
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f"<!-- {mark} -->\n"
        '<qgis version="3.22.0" styleCategories="Symbology">\n  <pipe>\n'
        '    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">\n'
        f"      <colorPalette>\n{entries}      </colorPalette>\n"
        "    </rasterrenderer>\n  </pipe>\n</qgis>\n"
    ).encode()
