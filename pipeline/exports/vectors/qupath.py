"""GeoJSON as QuPath reads it: annotations in pixels of the image's full resolution, with classes and their colours."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exports.vectors.json_text import compact, object_name, object_shapes, open_text, write_polygons
from pipeline.geometry.grid import IDENTITY, Grid
from pipeline.objects.features import FeatureBatch, FeatureFields

NAMESPACE = uuid.UUID("9a1f3c52-6a0b-5d0e-8c55-2f6f1a7f6f10")
"""Of the identifiers of objects, which QuPath wants as UUIDs: those of one mark and id are always the same."""

_SIGNS = str.maketrans({":": "∶", "\n": " ", "\r": " "})
"""Signs of a name that QuPath refuses or splits at, and those that stand in their place."""


def write_qupath(
    batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, mark: str, object_type: str = "annotation"
) -> None:
    """Write a FeatureCollection of annotations or detections, whatever the CRS of the mask.

    QuPath 0.4 and later read ``objectType``, ``classification`` with ``name`` and ``color``, and ``measurements`` by
    name. A colon in a name would make a class below another, and a line break none, so that they become other signs.
    QuPath reads a file in the encoding of its machine, so that all of it is ASCII.

    Parameters
    ----------
    batches
        Objects.
    path
        A file that is not there yet.
    fields
        What the objects have in common.
    mark
        Text by which the file is known.
    object_type
        ``annotation``, which people edit, or ``detection``, of which QuPath shows millions.

    References
    ----------
    Its reader, https://github.com/qupath/qupath: ``PathIO``, ``QuPathTypeAdapters``, ``ROITypeAdapters`` and
    ``PathClass``.
    """
    classes = {row.code: {"name": row.name.translate(_SIGNS), "color": list(row.rgb)} for row in fields.classes}
    numbers = [name for name in fields.names if name not in ("id", "class", "code", "area_method")]
    with open_text(path, mark) as file:
        file.write(f'{{"type":"FeatureCollection","wholecloth":{compact(mark, ascii_only=True)},"features":[')
        separator = "\n"
        for batch in batches:
            columns = {name: batch.attributes[name].tolist() for name in ("id", "code", *numbers)}
            points = image_points(fields.grid, batch.cols, batch.rows)
            for at, shapes in enumerate(object_shapes(batch, points)):
                name = object_name(columns, at)
                identifier = uuid.uuid5(NAMESPACE, f"{mark} {name}")
                properties = {
                    "objectType": object_type,
                    "name": name,
                    "classification": classes[columns["code"][at]],
                    "measurements": {name: columns[name][at] for name in numbers},
                }
                file.write(f'{separator}{{"type":"Feature","id":"{identifier}","geometry":')
                write_polygons(file, shapes, fields.multi)
                file.write(f',"properties":{compact(properties, ascii_only=True)}}}')
                separator = ",\n"
        file.write("\n]}\n")


def image_points(grid: Grid, cols: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, 2) x and y of lattice points of a mask, px of its image to 1/1000; whole numbers where they are."""
    if grid.image_px == IDENTITY:
        return np.stack([cols, rows], axis=1)
    a, b, c, d, e, f = grid.image_px
    return np.round(np.stack([a * cols + b * rows + c, d * cols + e * rows + f], axis=1), 3)
