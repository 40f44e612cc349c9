"""What stands in the layers of a block where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.inference.recipe import Recipe


def fill_invalid(layers: Mapping[str, npt.NDArray[Any]], asked: npt.NDArray[np.bool_], recipe: Recipe) -> None:
    """Put the fill value where nothing is known.

    Parameters
    ----------
    layers
        Each ([classes,] rows, cols), by name; changed in place.
    asked
        (rows, cols): where it is known.
    recipe
        Which layers, and of what dtypes.
    """
    if not asked.all():
        for name, of in recipe.layer_specs.items():
            np.copyto(layers[name], of.fill, where=~asked)
