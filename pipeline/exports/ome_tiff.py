"""An OME-TIFF of one layer for tools of microscopy; its pyramid is the levels of the store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exports.geotiff.template import TILE, file_dtype
from pipeline.exports.layer_part import LayerPart
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form
from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.store.layers import CLASS_LAYERS
from pipeline.store.metadata import first_centre

UM_PER_CM = 10_000
_BIG_BYTES = 2**31
"""Pixels of a file that is no BigTIFF, bytes at the most."""


def _write(task: ExportTask, file: Path) -> None:
    import tifffile

    part = task.part
    big = part.window.pixels * part.layer.bytes_per_pixel > _BIG_BYTES
    with tifffile.TiffWriter(file, bigtiff=big, ome=True) as writer:
        for level in range(part.levels):
            own: dict[str, Any] = {"subfiletype": 1, "metadata": None}
            if level == 0:
                own = {"subifds": part.levels - 1, "metadata": _metadata(task), "software": str(task.mark)}
            writer.write(
                _tiles(part, level),
                shape=(part.planes, *part.size(level)),
                dtype=file_dtype(part),
                tile=(TILE, TILE),
                compression="zlib",
                **_photometric(task),
                **_resolution(part, level),
                **own,
            )


def _metadata(task: ExportTask) -> dict[str, Any]:
    """Names of the channels, and the size of a pixel where it is known in micrometres."""
    spec = task.spec
    channels = {"Name": _channel_names(task)}
    metadata: dict[str, Any] = {"axes": "CYX", "Name": task.store.stem, "Channel": channels, "Creator": "wholecloth"}
    # without it, two writes of one store would differ
    metadata["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, str(task.mark)))
    if spec.grid.unit == "um":
        height, width = spec.grid.pixel_size
        units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
        metadata |= {"PhysicalSizeX": width, "PhysicalSizeY": height, **units, "Plane": _positions(task)}
    return metadata


def _positions(task: ExportTask) -> dict[str, list[Any]]:
    """Where each plane lies: the centre of its first pixel from that of the image's, as OME counts."""
    planes, (y, x) = task.part.planes, first_centre(task.part.grid)
    return {
        "PositionX": [x] * planes,
        "PositionXUnit": ["µm"] * planes,
        "PositionY": [y] * planes,
        "PositionYUnit": ["µm"] * planes,
    }


def _resolution(part: LayerPart, level: int) -> dict[str, Any]:
    """Pixels per cm of a level where they are known, for readers of TIFF that know no OME."""
    if part.spec.grid.unit != "um":
        return {}
    height, width = part.grid.level(level).pixel_size
    return {"resolution": (UM_PER_CM / width, UM_PER_CM / height), "resolutionunit": "CENTIMETER"}


def _channel_names(task: ExportTask) -> list[str]:
    """A name for each plane: its class, its channel, or that of the layer."""
    if task.layer == "probabilities":
        return [row.name for row in task.spec.axis]
    return [task.layer] if task.part.layer.planes is None else list(task.spec.values.channels)


def _photometric(task: ExportTask) -> dict[str, Any]:
    """A palette (3, 256) for a mask of bytes, grey values for anything else."""
    if task.layer not in CLASS_LAYERS or task.spec.dtype != "uint8":
        return {"photometric": "minisblack"}
    table = np.zeros((3, 256), dtype=np.uint16)
    for row in task.spec.classes:
        table[:, row.code] = np.array(row.rgb) * 257
    return {"photometric": "palette", "colormap": table}


def _tiles(part: LayerPart, level: int) -> Iterator[npt.NDArray[Any]]:
    """Every tile of a level, plane by plane; it goes through all of them, as the format asks."""
    height, width = part.size(level)
    for plane in range(part.planes):
        for rows in cut(height, TILE):
            for cols in cut(width, TILE):
                yield _tile(part, level, plane, Window.of(rows, cols))


def _tile(part: LayerPart, level: int, plane: int, window: Window) -> npt.NDArray[Any]:
    pixels = part.read(level, window)
    values = pixels if pixels.ndim == 2 else pixels[plane]
    tile = np.full((TILE, TILE), part.layer.fill, dtype=file_dtype(part))
    tile[: values.shape[0], : values.shape[1]] = values
    return tile


OME_TIFF = Form(ending=".ome.tif", write=_write)
