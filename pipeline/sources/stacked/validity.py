"""Which pixels of a stack are valid: ``source.stack_rule``."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pipeline.interfaces import CAUSES, Pixels
from pipeline.sources.validity.band_causes import OUTSIDE_BAND, UNUSABLE, CauseCodes, with_unusable

NO_NUMBERS = tuple(CAUSES.index(name) for name in ("NaN or infinity", "beyond float32"))
"""Codes of pixels at which a source has no number, which count whatever the rule."""


def invalid_codes(pixels: Pixels, rule: Literal["any", "all"]) -> CauseCodes | None:
    """(rows, cols) codes of `CAUSES` of one source of a stack, for `joined`; None where all of it is valid.

    Parameters
    ----------
    pixels
        Of a window inside the stack's grid.
    rule
        ``source.stack_rule``. Where a source has no number or does not lie, pixels are invalid by both.
    """
    codes = None
    if not pixels.valid.all():
        causes = np.zeros(pixels.valid.shape, np.uint8) if pixels.causes is None else pixels.causes
        codes = np.where(~pixels.valid & (causes == 0), np.uint8(OUTSIDE_BAND), causes)
        codes = np.where(np.isin(codes, NO_NUMBERS), codes | np.uint8(UNUSABLE), codes)
    if rule == "all":  # numbers of invalid pixels go to the network where another source is valid
        for band in pixels.data:
            codes = with_unusable(band, codes)
    return codes
