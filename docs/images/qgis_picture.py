"""Draw QGIS's list of layers beside its map, of a mask that was just opened: the picture of docs/readers.md.

    python -m pipeline run configs/satellite.yaml
    QT_QPA_PLATFORM=offscreen /usr/bin/python3 docs/images/qgis_picture.py out/satellite.mask.tif docs/images/qgis.png

Both are QGIS's own widgets. Nothing is set but the file and the paper: QGIS finds names and colours by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qgis.core import Qgis, QgsApplication, QgsLayerTreeModel, QgsProject, QgsRasterLayer
from qgis.gui import QgsLayerTreeMapCanvasBridge, QgsLayerTreeView, QgsMapCanvas
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QApplication, QLabel, QSplitter, QVBoxLayout, QWidget

WIDTH, HEIGHT, PANEL = 900, 590, 270
"""Of the window and of its list of layers, in px."""
PAPER = QColor(214, 214, 214)
"""Below the map, where nothing is drawn of nodata. White would look like cloud."""


def draw(raster: Path, picture: Path) -> None:
    """Write the window as a PNG."""
    layer = QgsRasterLayer(str(raster), raster.stem)
    project = QgsProject.instance()
    project.setCrs(layer.crs())
    project.addMapLayer(layer)
    canvas = QgsMapCanvas()
    window = arranged(layers(project), canvas, footer(layer))
    bridge = QgsLayerTreeMapCanvasBridge(project.layerTreeRoot(), canvas)
    window.show()
    bridge.setCanvasLayers()
    canvas.setCanvasColor(PAPER)
    canvas.setDestinationCrs(layer.crs())
    QApplication.processEvents()  # by which the canvas gets its size
    canvas.setExtent(layer.extent())
    canvas.refresh()
    canvas.waitWhileRendering()
    QApplication.processEvents()
    window.grab().save(str(picture))


def layers(project: QgsProject) -> QgsLayerTreeView:
    """The list of layers, with the classes of each."""
    view = QgsLayerTreeView()
    model = QgsLayerTreeModel(project.layerTreeRoot(), view)
    model.setFlag(QgsLayerTreeModel.AllowNodeChangeVisibility)
    view.setModel(model)
    view.expandAll()
    view.setFocusPolicy(Qt.NoFocus)
    return view


def footer(layer: QgsRasterLayer) -> QLabel:
    """Version, CRS, size and nodata, as QGIS has them."""
    nodata = layer.dataProvider().sourceNoDataValue(1)
    size = f"{layer.width()} × {layer.height()} px"
    return QLabel(f"QGIS {Qgis.QGIS_VERSION.partition('-')[0]}   {layer.crs().authid()}   {size}   nodata {nodata:g}")


def arranged(view: QWidget, canvas: QWidget, words: QWidget) -> QWidget:
    """The list at the left, the map at the right, words below."""
    window, column, sides = QWidget(), QVBoxLayout(), QSplitter()
    for widget in (view, canvas):
        sides.addWidget(widget)
    sides.setSizes([PANEL, WIDTH - PANEL])
    column.addWidget(sides, 1)
    column.addWidget(words)
    window.setLayout(column)
    window.resize(WIDTH, HEIGHT)
    return window


if __name__ == "__main__":
    application = QgsApplication([], True)
    application.initQgis()
    draw(*map(Path, sys.argv[1:3]))
    QgsProject.instance().clear()
    application.exitQgis()
