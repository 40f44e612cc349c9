"""Small stores on grids of several kinds, and zones in files."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyproj
import shapely

from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.spec import ClassRow
from tests import vector_files
from tests.quality.evaluate.stores import blobs
from tests.store import specs

CLASSES = (
    ClassRow(code=7, name="wood", color="#445566"),
    ClassRow(code=0, name="ground", color="#556677", role="background"),
    ClassRow(code=3, name="water", color="#112233"),
)
NODATA = 255
BLOCK = 64
TRANSFORMS = {
    "EPSG:32633": specs.NORTH_UP,
    "EPSG:4326": (1e-4, 0.0, 15.0, 0.0, -1e-4, 41.5),
    "EPSG:3857": (10.0, 0.0, 1e6, 0.0, -10.0, 8.4e6),
    "rotated": (8.0, 6.0, 500_000.0, 6.0, -8.0, 4_600_000.0),
    "um": (0.25, 0.0, 0.0, 0.0, 0.5, 0.0),
    None: (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
}

CODES = {"rotated": "EPSG:32633", "um": None}
"""CRS of those of these grids that are named otherwise."""


def grid_of(crs: str | None, height: int, width: int) -> Grid:
    code = CODES.get(crs, crs)
    wkt = pyproj.CRS(code).to_wkt() if code else None
    unit: Any = "crs" if code else crs or "px"
    return Grid(height=height, width=width, transform=TRANSFORMS[crs], wkt=wkt, code=code, unit=unit)


def mask_of(height: int = 150, width: int = 170, seed: int = 1) -> np.ndarray:
    """Patches of every class with holes of nodata, one of them a whole block."""
    mask = blobs(height, width, [7, 0, 3, NODATA], seed).astype("uint8")
    mask[BLOCK : 2 * BLOCK, :BLOCK] = NODATA
    return mask


def store_of(
    path: Place,
    mask: np.ndarray,
    crs: str | None = "EPSG:32633",
    blocks: Iterable[BlockPosition] | None = None,
    asked: int | None = None,
    zarr_format: Literal[2, 3] = 3,
    **meta: Any,
) -> StoreLevel:
    """A store of a mask, of which some blocks are written and committed: all by default."""
    height, width = mask.shape
    spec = specs.spec(grid_of(crs, height, width), classes=CLASSES, zarr_format=zarr_format)
    shape = -(-height // BLOCK), -(-width // BLOCK)
    rows = [asdict(row) for row in CLASSES]
    counted = {} if asked is None else {"asked": asked}
    create(path, spec, {"blocks": list(shape), "tiles": {"block": BLOCK}, "classes": rows, **counted, **meta})
    for row, col in np.ndindex(*shape) if blocks is None else blocks:
        part = slice(row * BLOCK, (row + 1) * BLOCK), slice(col * BLOCK, (col + 1) * BLOCK)
        open_layer(path, 0, "mask")[part] = mask[part]
        Ledger(path).commit((row, col), {"chunks": {}})
    return open_store(path)


def to_map(grid: Grid, shapes: Any) -> Any:
    """Polygons in columns and rows brought to the CRS of a grid, where it has one."""
    if grid.wkt is None:
        return shapes
    a, b, c, d, e, f = grid.transform

    def move(points: np.ndarray) -> np.ndarray:
        return np.stack([a * points[:, 0] + b * points[:, 1] + c, d * points[:, 0] + e * points[:, 1] + f], axis=1)

    return shapely.transform(np.asarray(shapes, dtype=object), move)


def write_zones(path: Path, shapes: Any, names: list[Any] | np.ndarray, crs: str | None, **options: Any) -> str:
    driver = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}[path.suffix]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # it is meant
        vector_files.write(
            path,
            geometry=shapely.to_wkb(np.asarray(shapes, dtype=object)),
            field_data=[np.asarray(names)],
            fields=["name"],
            crs=crs,
            driver=driver,
            geometry_type="Unknown",
            **options,
        )
    return str(path)
