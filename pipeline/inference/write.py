"""A block's layers into the store, then its commit record."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window
from pipeline.inference.picture import PicturePart
from pipeline.locations import Place
from pipeline.runtime.clock import timed_stage
from pipeline.store.lease.lease import assert_held
from pipeline.store.ledger import commit_block
from pipeline.store.lifecycle import open_layer


def write_block(
    store: Place,
    index: BlockIndex,
    window: Window,
    layers: tuple[str, ...],
    arrays: dict[str, npt.NDArray[np.generic]],
    record: dict[str, Any],
    store_id: str = "",
    picture: PicturePart | None = None,
) -> None:
    """Write a block and commit it once its chunks are durable.

    Parameters
    ----------
    store
        Where it is.
    index, window
        The block and the pixels it owns.
    layers
        Names of all layers.
    arrays
        ([classes,] rows, cols) of the block by layer; a layer that is absent is left at its fill value.
    record
        What the commit record says beside the checksums of the chunks.
    store_id
        Id of the store, as for `assert_held`.
    picture
        What the block adds to the picture of the source, where the store keeps one.

    Raises
    ------
    Unfinished
        The store is not ours any more; what was not written by then is not written.
    """
    with timed_stage("write"):
        assert_held(store, store_id)
        for name, values in arrays.items():
            open_layer(store, 0, name)[(..., *window.slices)] = values
        if picture is not None:
            picture.write(store)
    with timed_stage("commit"):
        assert_held(store, store_id)
        commit_block(store, 0, (index.row, index.col), window, layers, record)
