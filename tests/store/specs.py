"""Small stores of every kind: specs, and stores whose pixels say where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from pipeline.exports import sidecars, vrt
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import ClassRow, StoreSpec, levels_for

UTM = pyproj.CRS.from_epsg(32633).to_wkt()
LOCAL = pyproj.CRS.from_proj4("+proj=laea +lat_0=51 +lon_0=9 +ellps=bessel").to_wkt()
"""A CRS that has no code."""
NORTH_UP = (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0)
CLASSES = (
    ClassRow(code=0, name="open water", color="#112233"),
    ClassRow(code=3, name="<fields & co>", color="#445566"),
    ClassRow(code=7, name="forest", color="#778899", role="background"),
)
GRIDS = {
    "with a code": Grid(height=100, width=130, transform=NORTH_UP, wkt=UTM, code="EPSG:32633", unit="crs"),
    "without a code": Grid(height=100, width=130, transform=NORTH_UP, wkt=LOCAL, unit="crs"),
    "without a CRS": Grid(height=100, width=130, transform=NORTH_UP, unit="px"),
    "rotated": Grid(
        height=100,
        width=130,
        transform=(8.0, 6.0, 500_000.0, 6.0, -8.0, 4_600_000.0),
        wkt=UTM,
        code="EPSG:32633",
        unit="crs",
    ),
    "of a slide": Grid(height=100, width=130, transform=(0.25, 0.0, 0.0, 0.0, 0.25, 0.0), unit="um"),
}


def spec(grid: str | Grid = "with a code", **changes: Any) -> StoreSpec:
    there = GRIDS[grid] if isinstance(grid, str) else grid
    said: dict[str, Any] = {
        "grid": there,
        "layers": ("mask",),
        "chunk": 32,
        "shard": None,
        "nodata": 255,
        "dtype": "uint8",
        "zarr_format": 3,
        "classes": CLASSES,
    }
    said |= changes
    return StoreSpec(**{"levels": levels_for(there, said["chunk"]), **said})


def pixels(of: StoreSpec) -> np.ndarray:
    """Codes in stripes that differ along both axes, a hole of nodata, and a corner that is wholly nodata."""
    rows, cols = np.mgrid[: of.grid.height, : of.grid.width]
    mask = np.array([row.code for row in of.classes])[(rows // 5 + cols // 7) % len(of.classes)].astype(of.dtype)
    mask[40:50, 20:30] = of.nodata
    mask[:33, :33] = of.nodata
    return mask


def store(path: Path, of: StoreSpec) -> Path:
    create(path, of, {"blocks": [1, 1]})
    open_layer(path, 0, "mask")[:] = pixels(of)
    unknown = pixels(of) == of.nodata
    rows, cols = np.mgrid[: of.grid.height, : of.grid.width]
    if "confidence" in of.layers:
        open_layer(path, 0, "confidence")[:] = np.where(unknown, 0, 1 + (3 * rows + 7 * cols) % 251)
    if "probabilities" in of.layers:
        open_layer(path, 0, "probabilities")[:] = np.where(unknown, of.layer("probabilities").fill, planes(of))
    if "entropy" in of.layers:
        open_layer(path, 0, "entropy")[:] = np.where(unknown, 255, (5 * rows + 3 * cols) % 241)
    if "variance" in of.layers:
        open_layer(path, 0, "variance")[:] = np.where(unknown, np.nan, (5 * rows + 3 * cols) % 241 / 1000)
    return path


def finish(path: Place, of: StoreSpec, meta: dict[str, Any]) -> Place:
    """Mark a store complete, and write its VRT."""
    sidecars.finish_store(path, of, meta)
    return vrt.write(path, of)


def records(path: Place) -> dict[BlockPosition, dict[str, Any]]:
    """Every commit record of full resolution, in order."""
    ledger = Ledger(path)
    return {block: record for block in ledger.listed() if (record := ledger.record(block))}


def planes(of: StoreSpec) -> np.ndarray:
    """(classes, rows, cols) that differ along all axes and are nowhere 0."""
    k, rows, cols = np.mgrid[: len(of.axis), : of.grid.height, : of.grid.width]
    values = 1 + (40 * k + 3 * rows + 7 * cols) % 250
    return (values / 255 if of.probabilities == "float16" else values).astype(of.probabilities)
