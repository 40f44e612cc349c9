"""The groups and arrays of a store: made whole in one step, opened by level and layer."""

from __future__ import annotations

import functools
import shutil
import threading
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec
from zarr.errors import ZarrUserWarning

from pipeline.errors import StoreError
from pipeline.raster.grid import Grid
from pipeline.store import conventions, vrt
from pipeline.store.files import PARTIAL, Files
from pipeline.store.spec import ClassRow, StoreSpec, levels_for

__all__ = ["ClassRow", "StoreSpec", "create", "delete", "finish", "is_ours", "levels_for", "open_layer", "read_meta", "sweep", "update_meta"]

KEY = "wholecloth"
"""Attribute of the root by which a store is known as ours."""
STALE_S = 3600
"""Seconds after which a skeleton that nobody moved into place is debris."""

_cache_lock = threading.Lock()


def create(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> bool:
    """Make an empty store in one step.

    The skeleton is built beside its place and moved there, so that nobody ever sees a part of it, and of several runs that
    start together exactly one makes the store.

    Returns
    -------
    bool
        False where something is there already; it is left as it is.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _build(partial, spec, meta)
        if path.exists():
            return False
        partial.rename(path)
    except OSError as error:
        if path.exists():
            return False
        raise StoreError(f"output.path {path} cannot be made ({error.strerror}). Give a path in a folder that can be written.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _open.cache_clear()
    return True


def is_ours(path: Path) -> bool:
    """Whether a folder is a store of ours."""
    return _meta(path) is not None


def read_meta(path: Path) -> dict[str, Any]:
    """What the store says of how it was made.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta = _meta(path)
    if meta is None:
        raise StoreError(f"{path} is not a store of ours: its root has no {KEY!r} attribute. Give the path of a store that `run` made.")
    return meta


def open_layer(path: Path, level: int, layer: str) -> zarr.Array[Any]:
    """An array of the store, opened once per process; safe from many threads."""
    with _cache_lock:
        return _open(path, level, layer)


def update_meta(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Rewrite what may change between runs: names and colours of classes, and what the store says of itself."""
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    group.attrs.put({**conventions.root(spec), KEY: meta})
    for k in range(spec.levels):
        array = group[f"{k}/mask"]
        array.attrs.put({**_dimensions(spec, ("y", "x")), **_crs(spec), **conventions.mask(spec)})


def finish(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Mark the store complete, consolidate its metadata at the root only, and write the sidecar for QGIS."""
    update_meta(path, spec, {**meta, "complete": True})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # v3 has no standard for it yet; readers that know it open faster
        zarr.consolidate_metadata(path)
    sidecar = path.with_suffix(".vrt")
    Files(sidecar.parent).put(sidecar.name, vrt.document(spec, path.name).encode())


def delete(path: Path) -> None:
    """Remove a store of ours.

    Raises
    ------
    StoreError
        It is something else.
    """
    read_meta(path)
    shutil.rmtree(path)
    _open.cache_clear()


def sweep(path: Path) -> None:
    """Remove what killed writers left inside the store and beside it."""
    Files(path).sweep()
    for partial in path.parent.glob(f".{path.name}.*{PARTIAL}"):
        if time.time() - partial.stat().st_mtime > STALE_S:
            shutil.rmtree(partial, ignore_errors=True)


@functools.lru_cache(maxsize=256)
def _open(path: Path, level: int, layer: str) -> zarr.Array[Any]:
    return zarr.open_array(path / str(level) / layer, mode="r+", config={"write_empty_chunks": False})


def _meta(path: Path) -> dict[str, Any] | None:
    if not (path / "zarr.json").is_file() and not (path / ".zgroup").is_file():
        return None
    try:
        said = zarr.open_group(path, mode="r", use_consolidated=False).attrs.get(KEY)
    except (ValueError, KeyError, FileNotFoundError, zarr.errors.GroupNotFoundError):
        return None
    return dict(said) if isinstance(said, dict) else None


def _build(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> None:
    root = zarr.create_group(path, zarr_format=spec.zarr_format, attributes={**conventions.root(spec), KEY: meta})
    for k in range(spec.levels):
        grid = spec.grid.level(k)
        group = root.create_group(str(k), attributes=conventions.level(grid))
        for layer in spec.layers:
            _create_layer(group, spec, grid, layer)
        _create_coordinates(group, spec, grid)


def _create_layer(group: zarr.Group, spec: StoreSpec, grid: Grid, layer: str) -> None:
    said = conventions.mask(spec) if layer == "mask" else conventions.confidence()
    group.create_array(
        layer,
        shape=(grid.height, grid.width),
        chunks=(spec.chunk, spec.chunk),
        shards=(spec.shard, spec.shard) if spec.shard and spec.shard != spec.chunk else None,
        dtype=spec.dtype if layer == "mask" else "uint8",
        fill_value=spec.nodata if layer == "mask" else 0,
        compressors=_codec(spec),
        attributes={**_dimensions(spec, ("y", "x")), **_crs(spec), **said},
        **_names(spec, ("y", "x")),
    )


def _create_coordinates(group: zarr.Group, spec: StoreSpec, grid: Grid) -> None:
    reference = conventions.spatial_ref(grid)
    group.create_array("spatial_ref", shape=(), dtype="int64", compressors=None, attributes={**_dimensions(spec, ()), **reference}, **_names(spec, ()))
    if not grid.axis_aligned:
        return
    a, _, c, _, e, f = grid.transform
    for name, start, step, count in (("y", f, e, grid.height), ("x", c, a, grid.width)):
        array = group.create_array(
            name, shape=(count,), chunks=(min(count, 2**16),), dtype="float64", fill_value=float("nan"), compressors=_codec(spec),
            attributes={**_dimensions(spec, (name,)), **conventions.axis(name, grid)}, **_names(spec, (name,)),
        )  # fmt: skip
        array[:] = start + step * (np.arange(count) + 0.5)


def _codec(spec: StoreSpec) -> Any:
    if spec.zarr_format == 2:
        from numcodecs.zstd import Zstd

        return Zstd(level=3)
    return ZstdCodec(level=3)


def _names(spec: StoreSpec, dimensions: tuple[str, ...]) -> dict[str, Any]:
    return {"dimension_names": dimensions} if spec.zarr_format == 3 else {}


def _dimensions(spec: StoreSpec, dimensions: tuple[str, ...]) -> dict[str, Any]:
    return {} if spec.zarr_format == 3 else {"_ARRAY_DIMENSIONS": list(dimensions)}


def _crs(spec: StoreSpec) -> dict[str, Any]:
    """GDAL's own attribute, which every version of its driver reads."""
    return {"_CRS": {"wkt": spec.grid.wkt}} if spec.grid.wkt else {}
