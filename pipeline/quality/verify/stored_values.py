"""Whether a part of a store is what the run's own tiles say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import cut
from pipeline.geometry.window import Window, bounding_window
from pipeline.inference.layers import filled
from pipeline.inference.recipe import Recipe
from pipeline.locations import Place
from pipeline.quality.verify.number_differences import differing_values
from pipeline.runtime.transfer.base import Arrays
from pipeline.store.layers import leading_layer
from pipeline.store.lifecycle import open_layer
from pipeline.store.overviews import OverviewTask
from pipeline.store.spec import StoreSpec
from pipeline.store.values import ValuesSpec

ALLOWED_STEPS = {"float32": 1, "bfloat16": 8, "float16": 3}
"""Steps of 1/255 by which layers of bytes may differ by rounding."""


_Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class LabelComparison:
    """Stored labels that were compared; in a store without a mask, pixels with their numbers."""

    pixels: int = 0
    differ: int = 0
    ties: int = 0
    """Of those that differ, the ones that rounding explains."""

    def add(self, pixels: int, differ: int, ties: int) -> None:
        """Count a part."""
        self.pixels, self.differ, self.ties = self.pixels + pixels, self.differ + differ, self.ties + ties


def stored_differences(
    store: Place,
    part: Window,
    expected: Arrays,
    valid: _Bools,
    tie: Callable[[_Bools], _Bools],
    recipe: Recipe,
    count: LabelComparison,
) -> Iterator[str]:
    """What is stored otherwise than the run's own tiles say, in words.

    Parameters
    ----------
    store
        Where it is.
    part
        Within one block.
    expected
        Layers, (…, rows, cols) of the part; they count where a pixel is wanted, and elsewhere the layer is empty.
    valid
        (rows, cols) of the part: pixels that get a class.
    tie
        Of pixels that differ, (rows, cols) of the part: those whose label rounding may turn.
    recipe
        Of the run.
    count
        Labels are counted here.
    """
    for layer, fill in filled(part, recipe).items():
        stored = np.asarray(open_layer(store, 0, layer)[(..., *part.slices)])
        should = np.where(valid, expected[layer], fill) if layer in expected else fill
        wrong = _differing(layer, stored, should, valid, recipe)
        turned = tie(wrong) if layer != "values" and wrong.any() else np.zeros_like(wrong)
        if layer == leading_layer(recipe.layers):
            count.add(int(valid.sum()), int(wrong.sum()), int(turned.sum()))
        wrong &= ~turned
        if wrong.any():
            yield (
                f"{int(wrong.sum())} of {part.pixels} pixels of {layer} at {bounding_window(wrong, part)} "
                f"are not what the network says"
            )


def nonempty_layers(store: Place, window: Window, spec: StoreSpec) -> Iterator[str]:
    """Layers that hold anything in a window of which nothing is known, in words.

    One strip of chunks is held at a time.
    """
    for layer in spec.layers:
        wrong, fill = 0, np.asarray(spec.layer(layer).fill)
        for rows in cut(window.height, spec.storage_unit_px):
            strip = Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)
            wrong += int((_distance(np.asarray(open_layer(store, 0, layer)[(..., *strip.slices)]), fill) > 0).sum())
        if wrong:
            yield f"{wrong} of {window.pixels} pixels of {layer} hold something, though no pixel of the block is valid"


def overview_differences(store: Place, task: OverviewTask, window: Window) -> Iterator[str]:
    """Layers of a block of an overview that are not what the level below makes of it, in words.

    A plane of it is held at a time.
    """
    wrong: dict[str, int] = {}
    for layer, where, values in task.reduced(window):
        stored = np.asarray(open_layer(store, task.level, layer)[where + window.slices])
        wrong[layer] = wrong.get(layer, 0) + int((_distance(stored, values) > 0).sum())
    for layer, count in wrong.items():
        if count:
            yield f"{count} values of {layer} are not what the level below makes of it"


def _differing(layer: str, stored: npt.NDArray[Any], should: npt.NDArray[Any], valid: _Bools, recipe: Recipe) -> _Bools:
    """(rows, cols) where a layer holds something else than it should, by more than rounding but for the mask."""
    if layer == "mask":
        return np.asarray(stored != should)
    if layer == "values":
        return differing_values(stored, should, valid, recipe.values, recipe.precision)
    if layer == "variance":
        actual, expected = (
            values.reshape(-1, *valid.shape) for values in (stored, np.broadcast_to(should, stored.shape))
        )
        return differing_values(actual, expected, valid, ValuesSpec(), recipe.precision)
    return np.asarray(_distance(stored, should) > _tolerance(stored, recipe.precision))


def _distance(stored: npt.NDArray[Any], expected: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(rows, cols) how far values are from what they should be; infinity where only one of them is a number."""
    stored_float, expected_float = stored.astype(np.float64), expected.astype(np.float64)
    distance = np.where(
        np.isnan(stored_float) | np.isnan(expected_float),
        np.where(np.isnan(stored_float) == np.isnan(expected_float), 0.0, np.inf),
        np.abs(stored_float - expected_float),
    )
    return np.asarray(distance.max(tuple(range(stored.ndim - 2)), initial=0.0))


def _tolerance(values: npt.NDArray[Any], precision: str) -> float:
    steps = ALLOWED_STEPS[precision]
    return steps if values.dtype.kind in "iu" else steps / 255
