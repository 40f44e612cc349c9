"""Files by which GDAL and QGIS see the classes of a store: a VRT beside it, and the PAM sidecar of its mask."""

from __future__ import annotations

from typing import Any

from pipeline.exports import gdal_palette, vrt
from pipeline.locations import Place
from pipeline.store import lifecycle
from pipeline.store.files import Files, belongs_to_others
from pipeline.store.spec import StoreSpec


def finish_store(path: Place, spec: StoreSpec, meta: dict[str, Any]) -> Place:
    """Write the sidecars of a store, and mark the store complete.

    Parameters
    ----------
    path
        Of a store whose blocks and overviews are all committed.
    spec, meta
        Its spec, and what its root says of it.

    Returns
    -------
    Place
        The VRT. It comes last, since it reads the store.
    """
    Files(path).put(gdal_palette.pam_key(spec), gdal_palette.pam(spec).encode())
    lifecycle.mark_complete(path, spec, meta)
    vrt_path = vrt_sidecar(path)
    Files(vrt_path.parent).put(vrt_path.name, vrt.vrt_document(spec, path.name).encode())
    return vrt_path


def vrt_sidecar(path: Place) -> Place:
    """Where the VRT of a store goes: ``scene.vrt``, or ``scene.zarr.vrt`` where somebody else's ``scene.vrt`` stands, such as the source."""
    vrt_path = path.with_suffix(".vrt")
    return path.with_name(f"{path.name}.vrt") if belongs_to_others(vrt_path, vrt.VRT_MARK) else vrt_path


def delete_store(path: Place) -> None:
    """Remove a store of ours with its VRT; the VRT goes first, so that none is left without a store.

    Raises
    ------
    StoreError
        The path holds something else, or cannot be removed.
    """
    lifecycle.check_deletable(path)
    vrt_path = vrt_sidecar(path)
    with lifecycle.undeletable(path):
        if not belongs_to_others(vrt_path, vrt.VRT_MARK):
            Files(vrt_path.parent).delete(vrt_path.name)
    lifecycle.delete(path)
