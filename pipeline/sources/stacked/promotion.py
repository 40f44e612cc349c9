"""The dtype in which numbers of several sources stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import SourceError

FLOAT_BITS = 53
"""Bits of whole numbers that float64 holds exactly."""


def common_dtype(
    dtypes: Sequence[np.dtype[Any]], places: Sequence[str], whole: str = "sources of the stack"
) -> np.dtype[Any]:
    """The smallest dtype that holds the numbers of all.

    Parameters
    ----------
    dtypes
        Of each source.
    places
        Of each, for the message.
    whole
        What all of them are, for the message.

    Raises
    ------
    SourceError
        There is none, so that numbers would change.
    """
    common = np.result_type(*dtypes)
    for dtype, place in zip(dtypes, places, strict=True):
        if dtype.kind in "iu" and common.kind == "f" and np.iinfo(dtype).bits > FLOAT_BITS:
            others = ", ".join(sorted({str(other) for other in dtypes if other != dtype}))
            raise SourceError(
                f"{place} holds {dtype}, and other {whole} {others}: no dtype holds the numbers of both. "
                f"Convert it to int32 or float32 first (gdal_translate -ot), or leave it out."
            )
    return common
