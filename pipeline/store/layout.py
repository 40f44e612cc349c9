"""A store as a whole: made in one step, opened by level and layer, finished, deleted."""

from __future__ import annotations

import functools
import json
import shutil
import threading
import uuid
import warnings
from pathlib import Path
from typing import Any

import zarr
from zarr.errors import ZarrUserWarning

from pipeline.errors import StoreError
from pipeline.store import conventions, palette, skeleton, vrt
from pipeline.store.away import FULL
from pipeline.store.files import PARTIAL, Files, age, clock, forget
from pipeline.store.spec import ClassRow, StoreSpec, layer_spec, levels_for

__all__ = [
    "ClassRow", "StoreSpec", "certify", "create", "delete", "finish", "is_ours", "layer_spec", "levels_for", "open_afresh", "open_layer", "read_meta",
    "sidecar", "sweep", "update_meta",
]  # fmt: skip

KEY = "wholecloth"
"""Attribute of the root by which a store is known as ours."""
ALIVE_S = 60.0
"""Seconds within which a file that nobody finished may still be in the hands of another run."""
STALE_S = 3600.0
"""Seconds after which a skeleton that nobody moved into place is debris."""
_ROOTS = ("zarr.json", ".zattrs")

_cache_lock = threading.Lock()


def create(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> bool:
    """Make an empty store in one step.

    The skeleton is built beside its place and moved there, so that nobody ever sees a part of it, and of several runs that
    start together exactly one makes the store. It is durable when this returns.

    Returns
    -------
    bool
        False where something is there already; it is left as it is.

    Raises
    ------
    StoreError
        The folder cannot be written.
    OSError
        The disk is full.
    """
    partial = _hidden(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        skeleton.build(partial, spec, {KEY: meta})
        Files(partial).sync(list(Files(partial).list()))
        if path.exists():
            return False
        partial.rename(path)
        Files(path.parent).sync([path.name])
    except OSError as error:
        if path.exists():
            return False
        if error.errno in FULL:
            raise
        raise StoreError(f"output.path {path} cannot be made ({error.strerror}). Give a path in a folder that can be written.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    open_afresh()
    return True


def is_ours(path: Path) -> bool:
    """Whether a folder is a store of ours."""
    return _meta(path) is not None


def read_meta(path: Path, *needed: str) -> dict[str, Any]:
    """What the store says of how it was made.

    Parameters
    ----------
    path
        Of the store.
    needed
        What it must say.

    Raises
    ------
    StoreError
        There is no store of ours, or its root lacks what is needed.
    """
    meta = _meta(path)
    if meta is None:
        raise StoreError(f"{path} is not a store of ours: its root has no {KEY!r} attribute. Give the path of a store that `run` made.")
    if gone := [name for name in needed if not isinstance(meta.get(name), dict | list)]:
        raise StoreError(
            f"{path} is damaged: {KEY!r} in the attributes of its root does not say {', '.join(gone)}. "
            "Put the root's metadata back from a copy, or make the store anew: run with --fresh."
        )
    return meta


def open_layer(path: Path, level: int, layer: str) -> zarr.Array[Any]:
    """An array of the store, opened once per process; safe from many threads."""
    with _cache_lock:
        return _open(path, level, layer)


def open_afresh() -> None:
    """Forget the arrays that this process has open, so that what was done to them since is seen."""
    forget()
    with _cache_lock:
        _open.cache_clear()


def update_meta(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Rewrite what may change between runs: names and colours of classes, and what the store says of itself.

    Each file is replaced whole; the root comes last, so that what it says of the store is true of all of it.
    """
    for k in range(spec.levels):
        for name, attributes in skeleton.named(spec).items():
            zarr.open_array(path / str(k) / name, mode="r+").attrs.put(attributes)
    root = zarr.open_group(path, mode="r+", use_consolidated=False)
    root.attrs.put({**conventions.root(spec), KEY: meta})
    _sync_metadata(path, spec)


def finish(path: Path, spec: StoreSpec, meta: dict[str, Any]) -> Path:
    """Mark a store complete whose blocks and overviews are all committed.

    Metadata is consolidated at the root only: inside the groups of levels it costs GDAL 3.13 the CRS. Colours and class names
    reach GDAL and QGIS by a VRT beside the store, and by the PAM sidecar of the mask.

    Returns
    -------
    Path
        The VRT.
    """
    Files(path).sweep()
    Files(path).put(palette.pam_key(spec), palette.pam(spec).encode())
    update_meta(path, spec, {**meta, "complete": True})
    _consolidate(path)
    _sync_metadata(path, spec)
    beside = sidecar(path)
    Files(beside.parent).put(beside.name, vrt.document(spec, path.name).encode())
    return beside


def certify(path: Path, certificate: dict[str, Any]) -> None:
    """Put a certificate into the root; everything else that is said there stays as it is.

    Raises
    ------
    StoreError
        There is no store of ours, or it cannot be written.
    """
    meta = {**read_meta(path), "certificate": certificate}
    try:
        root = zarr.open_group(path, mode="r+", use_consolidated=False)
        root.attrs.put({**dict(root.attrs), KEY: meta})
        if meta.get("complete"):
            _consolidate_if_whole(path)
        Files(path).sync(name for name in (*_ROOTS, ".zmetadata") if Files(path).exists(name))
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}), so that it holds no certificate. Make it writable, or copy it.") from error


def sidecar(path: Path) -> Path:
    """Where the VRT of a store goes: ``scene.vrt``, or ``scene.zarr.vrt`` where somebody else's ``scene.vrt`` stands, such as the source."""
    beside = path.with_suffix(".vrt")
    return beside if not beside.exists() or _is_our_vrt(beside) else path.with_name(f"{path.name}.vrt")


def delete(path: Path) -> None:
    """Remove a store of ours and its VRT.

    It is moved out of the way first, so that a kill leaves no half of a store in its place.

    Raises
    ------
    StoreError
        It is something else, or cannot be removed.
    """
    read_meta(path)
    place = path.resolve()  # the path may be a link
    away = _hidden(place)
    try:
        if _is_our_vrt(sidecar(path)):
            sidecar(path).unlink()
        place.rename(away)
        shutil.rmtree(away)
    except OSError as error:
        raise StoreError(f"{path} cannot be deleted ({error.strerror}: {error.filename}). Delete it by hand, or give another output.path.") from error
    finally:
        open_afresh()


def sweep(path: Path) -> None:
    """Remove what killed writers left inside the store and beside it, and nothing of a run that is alive."""
    Files(path).sweep(ALIVE_S)
    now = clock(path.parent)
    for partial in path.parent.glob(f".{path.name}.*{PARTIAL}"):
        if age(partial, now) > STALE_S:
            shutil.rmtree(partial, ignore_errors=True)


@functools.lru_cache(maxsize=256)
def _open(path: Path, level: int, layer: str) -> zarr.Array[Any]:
    return zarr.open_array(path / str(level) / layer, mode="r+", config={"write_empty_chunks": False})


def _meta(path: Path) -> dict[str, Any] | None:
    """Read as plain JSON: a folder may hold anything, and only a root of ours is of interest."""
    for name in _ROOTS:
        try:
            said = json.loads((path / name).read_bytes())
        except (OSError, ValueError):
            continue
        attributes = said.get("attributes") if name == "zarr.json" and isinstance(said, dict) else said
        meta = attributes.get(KEY) if isinstance(attributes, dict) else None
        if isinstance(meta, dict):
            return meta
    return None


def _consolidate(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # v3 has no standard for it yet; readers that know it open faster
        zarr.consolidate_metadata(path)


def _consolidate_if_whole(path: Path) -> None:
    """A damaged store opens without it as far as it opens at all, and its certificate must still be told."""
    try:
        _consolidate(path)
    except (ValueError, KeyError, TypeError, LookupError):
        return


def _sync_metadata(path: Path, spec: StoreSpec) -> None:
    files = Files(path)
    arrays = [f"{k}/{name}/" for k in range(spec.levels) for name in skeleton.named(spec)]
    files.sync(key for folder in ("", *arrays) for name in (*_ROOTS, ".zmetadata") if files.exists(key := f"{folder}{name}"))


def _is_our_vrt(beside: Path) -> bool:
    try:
        with beside.open("rb") as file:
            return vrt.MARK.encode() in file.read(2**16)
    except OSError:
        return False


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
