"""Which pixels are valid where each band says so by itself, as bands in files of their own do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.interfaces import CAUSES
from pipeline.sources.validity.validity import LIMIT

CauseCodes = npt.NDArray[np.uint8]
UNUSABLE = 128
"""Bit beside a code of `CAUSES`: the band has no number there, so that the pixel is invalid whatever the rule."""
OUTSIDE_BAND = UNUSABLE | CAUSES.index("never written")
"""Code of pixels on which a band does not lie."""


def with_unusable(band: npt.NDArray[Any], causes: CauseCodes | None) -> CauseCodes | None:
    """(rows, cols) codes of one band, with the bit where it holds no number of float32; None where all is valid."""
    if band.dtype.kind != "f":
        return causes
    unusable = ~((band > -LIMIT) & (band < LIMIT))
    if not unusable.any():
        return causes
    codes = np.where(unusable, CAUSES.index("NaN or infinity"), 0).astype(np.uint8)
    codes = codes if causes is None else np.where(causes == 0, codes, causes)
    codes[unusable] |= UNUSABLE
    return codes


def joined(bands: Sequence[CauseCodes | None], rule: Literal["all", "any"]) -> CauseCodes | None:
    """(rows, cols) codes of `CAUSES` for all bands together; None where all pixels are valid.

    Parameters
    ----------
    bands
        (rows, cols) codes of each band, of which some may have the bit `UNUSABLE`.
    rule
        Pixels are invalid where all bands are, or where any is. Of several causes, that of the first band counts.
    """
    marked = [codes for codes in bands if codes is not None and codes.any()]
    if not marked:
        return None
    by_rule = rule == "any" or len(marked) == len(bands)
    invalid = np.logical_or.reduce([codes >= UNUSABLE for codes in marked])
    if by_rule:
        invalid |= (np.logical_or if rule == "any" else np.logical_and).reduce([codes != 0 for codes in marked])
    causes = np.zeros(invalid.shape, np.uint8)
    for codes in marked:
        counts = invalid & (causes == 0) & ((codes != 0) if by_rule else (codes >= UNUSABLE))
        causes[counts] = codes[counts] & ~np.uint8(UNUSABLE)
    return causes if invalid.any() else None


def joined_with(
    bands: Sequence[CauseCodes | None], hidden: Sequence[CauseCodes], rule: Literal["all", "any"]
) -> CauseCodes:
    """The same, where other rasters hide pixels: these are invalid whatever the bands say.

    Parameters
    ----------
    bands
        As for `joined`.
    hidden
        (rows, cols) codes of each of the others, with the bit `UNUSABLE`.
    rule
        As for `joined`; it counts for the bands alone.
    """
    causes = joined(bands, rule)
    for codes in hidden:
        plain = codes & ~np.uint8(UNUSABLE)
        causes = plain if causes is None else np.where(causes == 0, plain, causes)
    assert causes is not None
    return causes
