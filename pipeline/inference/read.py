"""Read what a block needs, once, and say what was read."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import xxhash

from pipeline.errors import ReadError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source

PAUSE_S = 0.2
"""Seconds before the first retry; doubled each time."""
XXH3 = "xxh3:"
"""Ten times as fast as a cryptographic hash, which would cost more than a light network; damage is sought, not
malice."""


def read_with_retries(source: Source, frame: Window, retries: int) -> Pixels:
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


def pixel_checksum(pixels: Pixels, like: object = None) -> str:
    """XXH3 of the raw pixels and their validity, 128 bits in hex after ``xxh3:``.

    Parameters
    ----------
    pixels
        What was read.
    like
        A checksum to compare with: one without a name is BLAKE2b, as stores had it before.
    """
    is_xxh3 = not isinstance(like, str) or like.startswith(XXH3)
    digest = xxhash.xxh3_128() if is_xxh3 else hashlib.blake2b(digest_size=16)
    for array in (pixels.data, pixels.valid):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return XXH3 + digest.hexdigest() if is_xxh3 else digest.hexdigest()
