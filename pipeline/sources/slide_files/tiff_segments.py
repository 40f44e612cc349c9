"""What of a page of a TIFF is decoded at once: a tile, a strip, or a square of a page that is not compressed.

A page that is not compressed and lies in one piece, as ImageJ writes each of its planes, is read where its numbers lie,
however large it is::

    +------+------+--
    |      |      |     FLAT_SIDE px, mapped and copied
    +------+------+--
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError
from pipeline.runtime.optional_imports import require

FLAT_SIDE = 512
"""Rows and columns that are read at once of a page that lies in one piece, px."""
JPEG = (6, 7)
"""TIFF's numbers of the compression whose tables stand apart from its tiles."""
WITHOUT_CODECS = (1, 8, 32946)
"""TIFF's numbers of no compression and of DEFLATE, which Python decodes by itself."""
PLANAR = 2
"""TIFF's number of samples that lie apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContiguousPlane:
    """A plane that lies in a file without a page of its own, as those of ImageJ's stacks beyond 4 GiB."""

    keyframe: Any
    """tifffile's page that says how its pixels are stored."""
    dataoffsets: tuple[int]
    databytecounts: tuple[int]
    jpegtables: None = None

    @property
    def parent(self) -> Any:
        """The file."""
        return self.keyframe.parent


def is_flat(page: Any) -> bool:
    """Whether the pixels of a page lie in one piece, row by row, as they are in memory."""
    key = page.keyframe
    plain = key.compression == 1 and key.predictor == 1 and key.fillorder == 1 and not key.is_tiled
    whole = key.bitspersample == 8 * np.dtype(key.dtype).itemsize and (
        key.samplesperpixel == 1 or key.planarconfig == 1
    )
    return bool(plain and whole and len(page.dataoffsets) == 1)


def segment_shape(page: Any) -> tuple[int, int]:
    """(rows, cols) of what is decoded at once, px."""
    key = page.keyframe
    if key.is_tiled:
        return int(key.tilelength), int(key.tilewidth)
    height, width = int(key.imagelength), int(key.imagewidth)
    if is_flat(page):
        return min(FLAT_SIDE, height), min(FLAT_SIDE, width)
    return min(int(key.rowsperstrip), height), width


def check_codecs(page: Any, purpose: str) -> None:
    """Raise ExtraError where decoding takes a library that is missing."""
    if page.keyframe.compression not in WITHOUT_CODECS or page.keyframe.predictor != 1:
        require("imagecodecs", "slides", purpose)


def read_segment(page: Any, index: int, lock: threading.Lock) -> npt.NDArray[Any] | None:
    """Decode a segment.

    Parameters
    ----------
    page
        tifffile's page or frame, or a `ContiguousPlane`.
    index
        Of the segment, in the file's order.
    lock
        Of the file's handle.

    Returns
    -------
    array or None
        (rows, cols, samples), at least as large as the segment inside the page; None where it was never written. Raises
        ReadError.
    """
    try:
        return _square(page, index) if is_flat(page) else _decoded(page, index, lock)
    except Exception as error:  # of a file that is cut short or damaged, whatever its codec raises
        name = page.parent.filehandle.path
        raise ReadError(f"{name} cannot be decoded at tile {index}: {str(error)[:200]}") from error


def _square(page: Any, index: int) -> npt.NDArray[Any] | None:
    if page.databytecounts[0] == 0:
        return None
    key = page.keyframe
    shape = int(key.imagelength), int(key.imagewidth), int(key.samplesperpixel)
    rows, cols = segment_shape(page)
    row, col = divmod(index, -(-shape[1] // cols))
    stored = np.memmap(
        page.parent.filehandle.path,
        np.dtype(key.dtype).newbyteorder(page.parent.byteorder),
        mode="r",
        offset=int(page.dataoffsets[0]),
        shape=shape,
    )
    square = stored[row * rows : (row + 1) * rows, col * cols : (col + 1) * cols]
    return np.array(square, dtype=key.dtype)


def _decoded(page: Any, index: int, lock: threading.Lock) -> npt.NDArray[Any] | None:
    if page.databytecounts[index] == 0:
        return None
    key, file = page.keyframe, page.parent.filehandle
    with lock:  # tifffile looks into the file when it is first asked how to decode a page
        decode = key.decode
        tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader} if key.compression in JPEG else {}
        file.seek(page.dataoffsets[index])
        data = file.read(page.databytecounts[index])
    segment: npt.NDArray[Any] = decode(data, index, **tables)[0][0]
    return segment
