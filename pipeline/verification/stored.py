"""Whether a part of a store is what the run's own tiles say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.raster.window import Window, bounds
from pipeline.stages.infer import Arrays, Recipe, empty
from pipeline.store.layout import open_layer

CLOSE = {"float32": 1, "bfloat16": 8, "float16": 3}
"""Steps of 1/255 by which layers of bytes may differ by rounding."""


Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Labels:
    """Stored labels that were compared."""

    pixels: int = 0
    differ: int = 0
    ties: int = 0
    """Of those that differ, the ones that rounding explains."""


def differences(store: Path, part: Window, expected: Arrays, wanted: Bools, tie: Bools, how: Recipe, count: Labels) -> Iterator[str]:
    """What is stored otherwise than the run's own tiles say, in words.

    Parameters
    ----------
    store
        Path of the store.
    part
        Within one block.
    expected
        Layers, (…, rows, cols) of the part; they count where a pixel is wanted, and elsewhere the layer is empty.
    wanted, tie
        (rows, cols) of the part: pixels that get a class, and those whose label rounding may turn.
    how
        Of the run.
    count
        Labels are counted here.
    """
    for layer, fill in empty(part, how).items():
        found = np.asarray(open_layer(store, 0, layer)[(..., *part.slices)])
        should = np.where(wanted, expected[layer], fill) if layer in expected else fill
        if layer == "mask":
            wrong = found != should
            _count(count, wrong, wanted, tie)
        else:
            wrong = np.abs(found.astype(np.float64) - should).max(tuple(range(found.ndim - 2)), initial=0.0) > _close(found, how.precision)
        wrong &= ~tie
        if wrong.any():
            yield f"{int(wrong.sum())} of {part.pixels} pixels of {layer} at {bounds(wrong, part)} are not what the network says"


def _count(count: Labels, wrong: Bools, wanted: Bools, tie: Bools) -> None:
    count.pixels += int(wanted.sum())
    count.differ += int(wrong.sum())
    count.ties += int((wrong & tie).sum())


def _close(values: npt.NDArray[Any], precision: str) -> float:
    steps = CLOSE[precision]
    return steps if values.dtype.kind in "iu" else steps / 255
