"""Files by which GDAL and QGIS see the classes of a store: a VRT beside it, and the PAM sidecar of its mask."""

from __future__ import annotations

from typing import Any

from pipeline.exports import delete_exports, gdal_palette, vrt
from pipeline.exports.mark import delete_own
from pipeline.locations import Place
from pipeline.store import lifecycle
from pipeline.store.files import belongs_to_others, files_at
from pipeline.store.layers import CLASS_LAYERS
from pipeline.store.spec import StoreSpec


def finish_store(path: Place, spec: StoreSpec, meta: dict[str, Any]) -> None:
    """Write the palette of a mask inside the store, and mark the store complete.

    What is written beside it comes last, since that reads the store.

    Parameters
    ----------
    path
        Of a store whose blocks and overviews are all committed.
    spec, meta
        Its spec, and what its root says of it.
    """
    for layer in spec.layers:
        if layer in CLASS_LAYERS:
            files_at(path).put(gdal_palette.pam_key(spec, layer), gdal_palette.pam(spec, layer).encode())
    lifecycle.mark_complete(path, spec, meta)


def delete_store(path: Place) -> None:
    """Remove a store of ours with its VRT and its exports.

    They go first, so that none is left without a store.

    Raises
    ------
    StoreError
        The path holds something else, or cannot be removed.
    """
    lifecycle.check_deletable(path)
    vrt_path = vrt.vrt_sidecar(path)
    with lifecycle.undeletable(path):
        if not belongs_to_others(vrt_path, vrt.VRT_MARK):
            files_at(vrt_path.parent).delete(vrt_path.name)
        delete_own(vrt_path.with_suffix(".qml"), path.name)
        delete_exports(path)
    lifecycle.delete(path)
