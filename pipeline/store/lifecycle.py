"""A store as a whole: made in one step, opened by level and layer, finished, deleted."""

from __future__ import annotations

import functools
import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.errors import ZarrUserWarning

from pipeline.errors import StoreError
from pipeline.locations import Place, Remote
from pipeline.store import create_local, create_remote, hierarchy, metadata
from pipeline.store.files import files_at
from pipeline.store.files.local import clear_durable_folders
from pipeline.store.files.objects import zarr_path
from pipeline.store.layers import array_key, layer_spec, leading_layer
from pipeline.store.spec import ClassRow, StoreSpec, levels_for

__all__ = [
    "ClassRow",
    "StoreSpec",
    "check_deletable",
    "clear_open_arrays",
    "create",
    "delete",
    "exists",
    "is_half_created",
    "is_mask_store",
    "layer_spec",
    "levels_for",
    "main_layer_of",
    "mark_complete",
    "open_layer",
    "read_store_meta",
    "remove_partial_files",
    "remove_partials_beside",
    "restate",
    "undeletable",
    "update_meta",
    "write_certificate",
]

META_KEY = "wholecloth"
"""Attribute of the root by which a store is known as ours."""
ALIVE_S = 60.0
"""Seconds within which a file that nobody finished may still be in the hands of another run."""
_ROOTS = create_remote.ROOTS[:2]

_cache_lock = threading.Lock()
_main_layers: dict[Place, str] = {}
"""Of the stores that this process has read the root of."""


def create(path: Place, spec: StoreSpec, meta: dict[str, Any]) -> bool:
    """Make an empty store in one step.

    On disk the skeleton is built beside its place and moved there, on object storage it is claimed first and gets its
    root last: nobody ever takes a part of it for the whole, and of several runs that start together exactly one makes
    the store. It is durable when this returns.

    Returns
    -------
    bool
        False where something is there already; it is left as it is.

    Raises
    ------
    StoreError
        The place cannot be written.
    OSError
        The disk is full.
    """

    def build(empty: Path) -> None:
        hierarchy.write_hierarchy(empty, spec, {META_KEY: meta})

    created = create_remote.create(path, build) if isinstance(path, Remote) else create_local.create(path, build)
    clear_open_arrays()
    if created:
        _main_layers[path] = spec.main_layer
    return created


def exists(path: Place) -> bool:
    """Whether anything is there."""
    return next(files_at(path).list(), None) is not None if isinstance(path, Remote) else path.exists()


def is_mask_store(path: Place) -> bool:
    """Whether what is there is a store of ours, or on object storage was begun to be one."""
    return _meta(path) is not None or is_half_created(path)


def is_half_created(path: Place) -> bool:
    """Whether what is there is no store yet.

    It is what a creator or a deletion left on object storage when it was cut short.
    """
    return isinstance(path, Remote) and _meta(path) is None and create_remote.has_claim(path)


def read_store_meta(path: Place, *required: str) -> dict[str, Any]:
    """What the store says of how it was made.

    Parameters
    ----------
    path
        Of the store.
    required
        What it must say.

    Raises
    ------
    StoreError
        There is no store of ours, or its root lacks what is needed.
    """
    meta = _meta(path)
    if meta is None and not exists(path):
        raise StoreError(f"{path} is not a store of ours: nothing is there. Give the path of a store that `run` made.")
    if meta is None:
        raise StoreError(
            f"{path} is not a store of ours: its root has no {META_KEY!r} attribute. Give the path of a "
            f"store that `run` made."
        )
    if missing := [name for name in required if not isinstance(meta.get(name), dict | list)]:
        raise StoreError(
            f"{path} is damaged: {META_KEY!r} in the attributes of its root does not say {', '.join(missing)}. "
            "Put the root's metadata back from a copy, or make the store anew: run with --fresh."
        )
    return meta


def open_layer(path: Place, level: int, layer: str) -> zarr.Array[Any]:
    """An array of the store, opened once per process; safe from many threads."""
    with _cache_lock:
        return _open(path, level, layer)


def main_layer_of(path: Place) -> str:
    """The layer below whose arrays the records of a store lie, by its root, which is read once per process.

    Where there is no store, that of stores with a mask.
    """
    if path not in _main_layers:
        _meta(path)
    return _main_layers.get(path, "mask")


def clear_open_arrays() -> None:
    """Forget the arrays that this process has open, so that what was done to them since is seen."""
    clear_durable_folders()
    _main_layers.clear()
    with _cache_lock:
        _open.cache_clear()


def update_meta(path: Place, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Rewrite what may change between runs: names and colours of classes, and what the store says of itself.

    Each file is replaced whole; the root comes last, so that what it says of the store is true of all of it.
    """
    for k in range(spec.levels):
        for name, attributes in hierarchy.class_attributes(spec).items():
            zarr.open_array(zarr_path(path, f"{k}/{name}"), mode="r+").attrs.put(attributes)
    root = zarr.open_group(zarr_path(path), mode="r+", use_consolidated=False)
    root.attrs.put({**metadata.root_attributes(spec), META_KEY: meta})
    _sync_metadata(path, spec)


def mark_complete(path: Place, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Mark a store complete whose blocks and overviews are all committed.

    Metadata is consolidated at the root only: inside the groups of levels it costs GDAL 3.13 the CRS.
    """
    files_at(path).remove_partials()
    update_meta(path, spec, {**meta, "complete": True})
    _consolidate(path)
    _sync_metadata(path, spec)


def write_certificate(path: Place, certificate: dict[str, Any] | None) -> None:
    """Put a certificate into the root, or take away the one that is there.

    Everything else that is said there stays as it is.

    Raises
    ------
    StoreError
        There is no store of ours, or it cannot be written.
    """
    meta = {key: value for key, value in read_store_meta(path).items() if key != "certificate"}
    try:
        restate(path, {**meta, **({"certificate": certificate} if certificate else {})})
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}), so that it holds no certificate. Make it "
            f"writable, or copy it."
        ) from error


def restate(path: Place, meta: dict[str, Any]) -> None:
    """Replace what the root says of how the store was made, and nothing else.

    Raises OSError where it cannot be written.
    """
    root = zarr.open_group(zarr_path(path), mode="r+", use_consolidated=False)
    root.attrs.put({**dict(root.attrs), META_KEY: meta})
    if meta.get("complete"):
        _consolidate_if_whole(path)
    files_at(path).sync(name for name in (*_ROOTS, ".zmetadata") if files_at(path).exists(name))


def delete(path: Place) -> None:
    """Remove a store of ours, so that a kill leaves no half of a store in its place.

    Raises
    ------
    StoreError
        It is something else, or cannot be removed.
    """
    check_deletable(path)
    try:
        with undeletable(path):
            if isinstance(path, Remote):
                create_remote.delete_remote(path)
            else:
                create_local.delete_local(path)
    finally:
        clear_open_arrays()


def check_deletable(path: Place) -> None:
    """Raise StoreError where something else than a store of ours, or a part of one, lies at a path."""
    if not is_half_created(path):
        read_store_meta(path)


@contextmanager
def undeletable(path: Place) -> Iterator[None]:
    """Raise StoreError where a file of a store, or beside it, cannot be deleted."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be deleted ({error.strerror}: {error.filename}). Delete it by hand, or give "
            f"another output.path."
        ) from error


def remove_partial_files(path: Place) -> None:
    """Remove what killed writers left inside the store, and nothing of a run that is alive."""
    files_at(path).remove_partials(ALIVE_S)


def remove_partials_beside(path: Place) -> None:
    """The same beside the store, where little is.

    Also of one that is complete, since its picture and its report come last.
    """
    if not isinstance(path, Remote):
        create_local.remove_stale_partials(path)


@functools.lru_cache(maxsize=256)
def _open(path: Place, level: int, layer: str) -> zarr.Array[Any]:
    return zarr.open_array(zarr_path(path, array_key(level, layer)), mode="r+", config={"write_empty_chunks": False})


def _meta(path: Place) -> dict[str, Any] | None:
    """Read as plain JSON: a folder may hold anything, and only a root of ours is of interest."""
    for name in _ROOTS:
        try:
            document = json.loads(files_at(path).get(name) or b"")
        except (OSError, ValueError):
            continue
        attributes = document.get("attributes") if name == "zarr.json" and isinstance(document, dict) else document
        meta = attributes.get(META_KEY) if isinstance(attributes, dict) else None
        if isinstance(meta, dict):
            _main_layers[path] = leading_layer(_layers(meta))
            return meta
    return None


def _layers(meta: Any) -> list[str]:
    """Layers by the config in a root; none where that does not say."""
    for name in ("config", "output", "layers"):
        meta = meta.get(name) if isinstance(meta, dict) else None
    return [layer for layer in meta if isinstance(layer, str)] if isinstance(meta, list) else []


def _consolidate(path: Place) -> None:
    with warnings.catch_warnings():
        # v3 has no standard for it yet; readers that know it open faster
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(zarr_path(path))


def _consolidate_if_whole(path: Place) -> None:
    """A damaged store opens without it as far as it opens at all, and its certificate must still be told."""
    try:
        _consolidate(path)
    except (ValueError, KeyError, TypeError, LookupError):
        return


def _sync_metadata(path: Place, spec: StoreSpec) -> None:
    files = files_at(path)
    arrays = [f"{k}/{name}/" for k in range(spec.levels) for name in hierarchy.class_attributes(spec)]
    files.sync(
        key for folder in ("", *arrays) for name in (*_ROOTS, ".zmetadata") if files.exists(key := f"{folder}{name}")
    )
