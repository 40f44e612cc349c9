"""The store that a job finds in its place: gone on with, refused, or none."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ConfigError, StoreError
from pipeline.locations import Place
from pipeline.planning import memory
from pipeline.planning.types import TilePlan
from pipeline.store import lifecycle as store

FORMS = {
    **dict.fromkeys((".tif", ".tiff", ".gtiff"), "GeoTIFF"),
    ".vrt": "VRT",
    ".png": "PNG",
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
    ".jp2": "JPEG 2000",
    ".img": "ERDAS Imagine",
    ".nc": "NetCDF",
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "HDF5"),
    ".gpkg": "GeoPackage",
    ".shp": "shapefile",
    **dict.fromkeys((".geojson", ".json"), "GeoJSON"),
    ".parquet": "Parquet",
    ".fgb": "FlatGeobuf",
    ".kml": "KML",
    ".csv": "CSV",
    ".zip": "ZIP",
    ".npy": "NumPy",
    ".npz": "NumPy",
    ".svs": "a slide",
    ".yaml": "YAML",
    ".yml": "YAML",
    ".html": "HTML",
}
"""Endings of files that are no Zarr, and what people take them for."""


def read_plan(path: Place, fresh: bool) -> dict[str, Any] | None:
    """What the root of a store says of its plan: what the job goes on with.

    Parameters
    ----------
    path
        Where the store is, or will be.
    fresh
        Plan as if the store were not there.

    Returns
    -------
    dict or None
        ``tiles``, ``costs``, ``recipe``, ``fingerprint`` and more; None where a new store is made.

    Raises
    ------
    StoreError
        Something else is there, or the store is damaged.
    ConfigError
        The name of a new store is that of a file of another form.
    """
    if not store.exists(path):
        _check_name(path)
        return None
    if not store.is_mask_store(path):
        raise StoreError(
            f"output.path is {path}, which exists and is not a store of ours; it was left as it is. Give "
            f"another path, or move it away."
        )
    return None if fresh or store.is_half_created(path) else _plan_of_root(path)


def _check_name(path: Place) -> None:
    """Refuse a new store whose name says that it is a file of another form.

    One that is there already keeps its name.
    """
    form = FORMS.get(path.suffix.lower())
    if form is not None:
        raise ConfigError(
            f"output.path is {path}, whose name says {form}, but a store is a folder in Zarr. Name it "
            f"{path.stem}.zarr; the mask as one file is made from it."
        )


def _plan_of_root(path: Place) -> dict[str, Any]:
    """What a store says of itself, where a plan can be made of it."""
    meta = store.read_store_meta(path, "tiles", "costs", "recipe", "fingerprint", "blocks")
    try:
        (
            TilePlan.of(meta["tiles"]),
            memory.MemoryCosts(**meta["costs"]),
            meta["recipe"]["precision"],
            meta["recipe"]["threads"],
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged: its root does not say its plan ({error}). Put zarr.json back from a copy, "
            f"or run with --fresh."
        ) from error
    return meta
