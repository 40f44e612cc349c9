"""A store as an xarray Dataset."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.locations import Place
from pipeline.runtime.optional_imports import require
from pipeline.store.files.objects import zarr_path
from pipeline.store.reader import StoreLevel, open_store

if TYPE_CHECKING:
    import xarray


def dataset(store: Place, level: int = 0) -> tuple[xarray.Dataset, StoreLevel]:
    """One level of a store, unread, and what else is known of it; errors are those of `pipeline.open`."""
    library = require("xarray", "readers", "pipeline.open")
    if find_spec("rioxarray"):
        import_module("rioxarray")  # for its accessor, .rio
    store_level, group = open_store(store, level), zarr_path(store, str(level))
    where: dict[str, Any] = (
        {"store": str(store), "group": str(level)}
        if isinstance(group, Path)
        else {"store": group.store, "group": group.path}
    )
    # mask_and_scale would make floats of codes: v2 cannot tell nodata from missing values
    layers: xarray.Dataset = library.open_zarr(**where, consolidated=False, mask_and_scale=False)
    attributed = layers.assign_attrs(
        crs=store_level.grid.code or store_level.grid.wkt,
        nodata=store_level.nodata,
        class_names={row.code: row.name for row in store_level.classes},
        **({} if store_level.values is None else {"channel_names": list(store_level.values.channels)}),
    )
    return attributed, store_level
