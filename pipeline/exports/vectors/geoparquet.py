"""GeoParquet 1.1: one row group a batch, from the top of the mask to its bottom, with the bounds of each object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exports.vectors.table import GEOMETRY, arrow, record_batch, table_schema
from pipeline.geometry.ellipsoid import parsed
from pipeline.objects.features import FeatureBatch, FeatureFields
from pipeline.runtime.optional_imports import require

BOUNDS = ("xmin", "ymin", "xmax", "ymax")
TEXT_COLUMNS = ["class", "area_method"]
"""Columns that are worth a dictionary."""
MARK_KEY = "wholecloth"
"""Key of the mark in the metadata of the file."""


def write_geoparquet(batches: Iterable[FeatureBatch], path: Path, fields: FeatureFields, mark: str) -> None:
    """Write a GeoParquet file with the covering ``bbox``; the mark is in its key-value metadata.

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
        pyarrow is not installed.

    References
    ----------
    GeoParquet specification 1.1.0, https://geoparquet.org/releases/v1.1.0/.
    """
    pyarrow, parquet = arrow(), require("pyarrow.parquet", "vector", "Writing objects as polygons")
    bounds_type = pyarrow.struct([pyarrow.field(name, pyarrow.float64(), nullable=False) for name in BOUNDS])
    columns = table_schema(fields).append(pyarrow.field("bbox", bounds_type, nullable=False))
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    # statistics of geometries would be copies of the least and the greatest one
    measured = [*fields.names, *(f"bbox.{name}" for name in BOUNDS)]
    with parquet.ParquetWriter(
        path,
        columns,
        compression="zstd",
        store_schema=False,
        use_dictionary=TEXT_COLUMNS,
        write_statistics=measured,
    ) as writer:
        for bounds, records in map(_bounded, batches):
            extent = _union(extent, bounds)
            boxes = pyarrow.StructArray.from_arrays(list(map(pyarrow.array, bounds.T)), fields=list(bounds_type))
            arrays = [*records.columns, boxes]
            del records
            writer.write_batch(pyarrow.record_batch(arrays, schema=columns), row_group_size=max(len(bounds), 1))
        # without the schema of Arrow, readers take its metadata from here
        writer.add_key_value_metadata({"geo": json.dumps(_geo(fields, extent)), MARK_KEY: mark})


def _bounded(batch: FeatureBatch) -> tuple[npt.NDArray[np.float64], Any]:
    return batch.bounds(), record_batch(batch)


def _union(extent: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    all_bounds = np.vstack([extent, bounds])
    return np.concatenate([all_bounds[:, :2].min(axis=0), all_bounds[:, 2:].max(axis=0)])


def _geo(fields: FeatureFields, extent: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The metadata ``geo``. Without a CRS it says null, for left out it would mean longitudes and latitudes."""
    column = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon" if fields.multi else "Polygon"],
        "crs": parsed(fields.grid.wkt).to_json_dict() if fields.grid.wkt else None,
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in BOUNDS}},
    }
    if np.isfinite(extent).all():
        column["bbox"] = extent.tolist()
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
