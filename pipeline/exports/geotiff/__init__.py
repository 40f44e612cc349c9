"""Cloud-optimised GeoTIFF: GDAL says the tags, and tiles are written as they come."""

from __future__ import annotations

from pathlib import Path

from pipeline.exports import gdal_palette, qml
from pipeline.exports.geotiff.cog import write_cog
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form
from pipeline.store.layers import CLASS_LAYERS


def _write(task: ExportTask, file: Path) -> None:
    write_cog(task.part, task.mark, file)


def _companions(task: ExportTask) -> dict[str, bytes]:
    """Class names, which GDAL reads beside a TIFF, and the style that QGIS takes up by itself."""
    if task.layer not in CLASS_LAYERS:
        return {}
    return {
        ".aux.xml": gdal_palette.names_beside(task.spec, task.mark).encode(),
        "qml": qml.class_style(task.spec, task.mark),
    }


COG = Form(ending=".tif", write=_write, companions=_companions)
