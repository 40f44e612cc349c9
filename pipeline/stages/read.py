"""Read what a block needs, once, and say what was read."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from pipeline.errors import ReadError
from pipeline.protocols import Pixels, Source
from pipeline.raster.window import Window

PAUSE_S = 0.2
"""Seconds before the first retry; doubled each time."""


def read(source: Source, frame: Window, retries: int) -> Pixels:
    """Read a window, trying again after a fault.

    Raises
    ------
    ReadError
        The window cannot be read after ``retries`` more tries.
    """
    for attempt in range(retries):
        try:
            return source.read(frame)
        except ReadError:
            time.sleep(PAUSE_S * 2**attempt)
    return source.read(frame)


def checksum(pixels: Pixels) -> str:
    """BLAKE2b of the raw pixels and their validity, hex."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (pixels.data, pixels.valid):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
