"""GeoPackage and FlatGeobuf, by pyogrio's Arrow writer, which asks for one batch after the other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.exports.vectors.table import GEOMETRY, LAYER, arrow, record_batch, table_schema
from pipeline.objects.features import FeatureBatch, FeatureFields
from pipeline.runtime.optional_imports import require

UNDEFINED_CARTESIAN = "-1"
"""The SRS of a GeoPackage whose coordinates are no place on earth."""


def write_geopackage(batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, mark: str) -> None:
    """Write a GeoPackage 1.3 or later; the mark is the description of its layer.

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

    Raises
    ------
    ExtraError
        pyogrio or pyarrow is not installed.
    """
    options = {"DESCRIPTION": mark, "GEOMETRY_NAME": "geom", "FID": "fid"}
    if fields.grid.wkt is None:
        options["SRID"] = UNDEFINED_CARTESIAN
    _write(batches, path, fields, driver="GPKG", layer_options=options, layer_metadata={"WHOLECLOTH": mark})


def write_flatgeobuf(batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, mark: str) -> None:
    """Write a FlatGeobuf with its index; the mark is the description in its header.

    Parameters
    ----------
    batches, path, fields, mark
        As `write_geopackage` takes them. The index is made in a file of GDAL's beside ``path``.
    """
    options = {"DESCRIPTION": mark, "TITLE": LAYER, "TEMPORARY_DIR": str(path.parent)}
    _write(batches, path, fields, driver="FlatGeobuf", layer_options=options)


def _write(batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, **options: Any) -> None:
    pyogrio = require("pyogrio", "vector", "Writing objects as polygons")
    reader = arrow().RecordBatchReader.from_batches(table_schema(fields), map(record_batch, batches))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # where there is none
        warnings.filterwarnings("ignore", message=".*extension", category=RuntimeWarning)  # a name of ours for a while
        pyogrio.write_arrow(
            reader,
            str(path),
            layer=LAYER,
            geometry_name=GEOMETRY,
            geometry_type="MultiPolygon" if fields.multi else "Polygon",
            crs=fields.grid.wkt,
            **options,
        )
