"""Whether the arrays of a store are those that its job made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.locations import Place
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import StoreSpec


def array_errors(store: Place, spec: StoreSpec, level: int) -> Iterator[tuple[str, str]]:
    """Layers of a level that cannot be opened, or are others than the store's, each with what is wrong.

    Compared are shape, dtype, fill and chunks.
    """
    for layer in spec.layers:
        try:
            actual = _actual(open_layer(store, level, layer))
        except Exception as error:  # metadata may hold anything, and every kind of damage raises something else
            yield layer, f"the array of {layer} cannot be opened: {_first_line(error)}"
            continue
        for name, expected in _expected(spec, level, layer).items():
            if actual[name] != expected:
                yield layer, f"{layer} has {name} {actual[name]} instead of {expected}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:120] or type(error).__name__


def _actual(array: Any) -> dict[str, str]:
    fill = np.asarray(array.fill_value).item() if array.fill_value is not None else None
    return _as_text(array.shape, array.dtype, fill, array.chunks, array.shards)


def _expected(spec: StoreSpec, level: int, layer: str) -> dict[str, str]:
    layer_spec, grid = spec.layer(layer), spec.grid.level(level)
    class_chunk = () if layer_spec.planes is None else (1,)
    shards = (*class_chunk, spec.shard, spec.shard) if spec.shard and spec.shard != spec.chunk else None
    fill = np.asarray(layer_spec.fill, dtype=layer_spec.dtype).item()
    return _as_text(
        layer_spec.shape(grid.height, grid.width),
        np.dtype(layer_spec.dtype),
        fill,
        (*class_chunk, spec.chunk, spec.chunk),
        shards,
    )


def _as_text(
    shape: tuple[int, ...], dtype: Any, fill: object, chunks: tuple[int, ...], shards: tuple[int, ...] | None
) -> dict[str, str]:
    """In words, in which NaN equals itself."""
    properties = {"shape": shape, "dtype": dtype, "fill": fill, "chunks": chunks, "shards": shards}
    return {name: str(value) for name, value in properties.items()}
