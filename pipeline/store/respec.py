"""The spec of a store that is there, from what the store says of itself: neither source nor network is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import zarr

from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.files.objects import zarr_path
from pipeline.store.layers import layer_kind, leading_layer
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.picture import stored_picture
from pipeline.store.reader import open_store, readable_layers
from pipeline.store.spec import UNUSED_DTYPE, UNUSED_NODATA, StoreSpec, levels_for
from pipeline.store.values import ValuesSpec


def read_spec(path: Place) -> StoreSpec:
    """What a store was made by; derived layers count once the store is complete.

    Raises
    ------
    StoreError
        There is no store of ours, or it is damaged.
    """
    meta = read_store_meta(path, "tiles", "classes", "config", "fingerprint")
    try:
        return _spec(path, meta)
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise StoreError(
            f"{path} is damaged: what it says of itself does not make a store ({type(error).__name__}: "
            f"{error}). Put its metadata back from a copy, or make it "
            "anew: run with --fresh."
        ) from error


def _spec(path: Place, meta: dict[str, Any]) -> StoreSpec:
    store_level, output, tiles = open_store(path), meta["config"]["output"], meta["tiles"]
    layers = readable_layers(meta)
    main = open_layer(path, 0, leading_layer(layers))
    grid = replace(store_level.grid, unit=meta["fingerprint"].get("source.grid", {}).get("unit", store_level.grid.unit))
    return StoreSpec(
        grid=grid,
        layers=layers,
        chunk=tiles["chunk"],
        shard=tiles["shard"],
        nodata=int(store_level.nodata) if "mask" in layers else UNUSED_NODATA,
        dtype=str(main.dtype) if "mask" in layers else UNUSED_DTYPE,
        zarr_format=main.metadata.zarr_format,
        classes=store_level.classes,
        levels=meta.get("levels", _levels(grid, output, tiles)),
        probabilities=output.get("probabilities_dtype", "uint8"),
        class_codes=_planes(path, layers),
        has_min_confidence=output.get("min_confidence", 0) > 0,
        values=store_level.values or ValuesSpec(),
        picture=stored_picture(path, meta),
    )


def _levels(grid: Grid, output: dict[str, Any], tiles: dict[str, Any]) -> int:
    return levels_for(grid, tiles["chunk"]) if output.get("pyramid", True) else 1


def _planes(path: Place, layers: tuple[str, ...]) -> tuple[int, ...]:
    """Codes along the class axis, where there is one."""
    if not any(layer_kind(name).axis == "class" for name in layers):
        return ()
    return tuple(int(code) for code in np.asarray(zarr.open_array(zarr_path(path, "0/class"), mode="r")[:]))
