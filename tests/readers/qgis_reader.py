"""QGIS: the layer as it appears when a file is dragged into the window."""

from __future__ import annotations

import atexit
from typing import Any

import numpy as np
from osgeo import gdal
from qgis.core import Qgis, QgsApplication, QgsRasterLayer

APPLICATION = QgsApplication([], False)
APPLICATION.initQgis()
atexit.register(APPLICATION.exitQgis)


def version() -> str:
    number = Qgis.QGIS_VERSION.partition("-")[0]
    return f"QGIS {number.rpartition('.')[0]}, GDAL {gdal.__version__.rpartition('.')[0]}"


def read(path: str) -> dict[str, Any]:
    layer = QgsRasterLayer(f'ZARR:"{path}":/0/mask' if path.endswith(".zarr") else path, "mask")
    if not layer.isValid():
        raise ValueError(layer.error().summary())
    provider, extent = layer.dataProvider(), layer.extent()
    rows, columns = layer.height(), layer.width()
    block = provider.block(1, extent, columns, rows)
    east, south = extent.width() / columns, extent.height() / rows
    classes = layer.renderer().classes() if layer.renderer().type() == "paletted" else []
    return {
        "pixels": np.frombuffer(bytes(block.data()), np.uint8).reshape(rows, columns),
        "crs": (layer.crs().authid(), (east, 0, extent.xMinimum(), 0, -south, extent.yMaximum())),
        "nodata": provider.sourceNoDataValue(1) if provider.sourceHasNoDataValue(1) else None,
        "names": {entry.value: entry.label for entry in classes},
        "colours": {entry.value: entry.color.name() for entry in classes},
    }
