"""Batches of objects as Arrow tables: what GeoPackage, FlatGeobuf and GeoParquet are written from."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.objects.features import FeatureBatch, FeatureFields
from pipeline.runtime.optional_imports import require

LAYER = "objects"
"""Name of the layer in every form that names it."""
GEOMETRY = "geometry"
"""Name of the column of geometries."""


def arrow() -> Any:
    """The library pyarrow, or ExtraError where it is absent."""
    return require("pyarrow", "vector", "Writing objects as polygons")


def table_schema(fields: FeatureFields) -> Any:
    """The columns: attributes, then the geometry. Ids are int64, for few forms have a number without a sign."""
    pyarrow = arrow()
    types = {"id": pyarrow.int64(), "code": pyarrow.int32()}
    types |= dict.fromkeys(("part", "parts"), pyarrow.int32()) | dict.fromkeys(
        ("class", "area_method"), pyarrow.string()
    )
    attributes = [pyarrow.field(name, types.get(name, pyarrow.float64()), nullable=False) for name in fields.names]
    return pyarrow.schema([*attributes, pyarrow.field(GEOMETRY, pyarrow.binary(), nullable=False)])


def record_batch(batch: FeatureBatch) -> Any:
    """A batch of objects as an Arrow record batch; the bytes of geometries are not copied."""
    pyarrow, columns = arrow(), table_schema(batch.fields)
    arrays = [
        pyarrow.array(batch.attributes[field.name], type=field.type, from_pandas=False)
        for field in columns
        if field.name != GEOMETRY
    ]
    return pyarrow.record_batch([*arrays, _geometries(batch)], schema=columns)


def _geometries(batch: FeatureBatch) -> Any:
    pyarrow, binary = arrow(), batch.wkb()
    offsets = pyarrow.py_buffer(binary.offsets.astype(np.int32))
    return pyarrow.Array.from_buffers(pyarrow.binary(), len(batch), [None, offsets, pyarrow.py_buffer(binary.data)])
