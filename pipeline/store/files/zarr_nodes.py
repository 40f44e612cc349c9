"""Groups and arrays of a store, as Zarr takes them, wherever the store is."""

from __future__ import annotations

from pathlib import Path

from zarr.storage import StorePath

from pipeline.locations import Place


def zarr_path(place: Place, key: str = "") -> Path | StorePath:
    """What `zarr.open_array` and its like take for a group or an array of a store.

    Parameters
    ----------
    place
        Of the store.
    key
        Below it, such as ``0/mask``.

    Raises
    ------
    ExtraError
        The store is on object storage, and the extra ``cloud`` is not installed.
    """
    if isinstance(place, Path):
        return place / key
    from pipeline.store.files.objects import objects

    return StorePath(objects(place.scheme, place.bucket), "/".join(part for part in (place.key, key) if part))
