"""A cloud-optimised GeoTIFF, written in one pass: the directories first, then overviews, the smallest first.

Its overviews are the levels of the store, pixel for pixel. Tiles where nothing is written take no bytes, so that time
and size follow the blocks that were written. The layout is that of GDAL's driver
(https://gdal.org/drivers/raster/cog.html), which makes its own overviews and goes through every tile of a raster.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.exports.geotiff.tags import LONG_KIND, Layout, Tag, array_tag, long_tag
from pipeline.exports.geotiff.template import TILE, overview_tags, template_tags
from pipeline.exports.geotiff.tiles import EncodedTile, compressed_tiles, tile_counts
from pipeline.exports.layer_part import LayerPart
from pipeline.exports.mark import Mark

CLASSIC_BYTES = 2**31
"""Pixels of a file that is no BigTIFF, bytes at the most: compressed, its offsets then fit 32 bits."""
_STRUCTURE = (
    "LAYOUT=IFDS_BEFORE_DATA\n{order}BLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
"""What GDAL reads of the order of the file; by it, tiles are fetched with fewer requests."""


@dataclass(slots=True)
class _Level:
    """Directory of a level, and where its tiles are."""

    tags: list[Tag]
    offsets: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint64]

    def place(self, tile: EncodedTile, offset: int) -> None:
        self.offsets[tile.index], self.sizes[tile.index] = offset, len(tile.data)

    def all_tags(self, layout: Layout) -> list[Tag]:
        places = array_tag(324, self.offsets, layout.offset_kind)
        return [*self.tags, places, array_tag(325, self.sizes, LONG_KIND)]


def write_cog(part: LayerPart, mark: Mark, path: Path) -> None:
    """Write a layer as a cloud-optimised GeoTIFF.

    Parameters
    ----------
    part
        What is written.
    mark
        Stands in the file's first bytes, and among its metadata.
    path
        On disk; what is there is replaced.

    Raises
    ------
    OSError
        The disk is full, or does not obey.
    """
    levels = _levels(part, template_tags(part, mark))
    layout = Layout(big=_raw_bytes(part) > CLASSIC_BYTES)
    ghost = _ghost(mark, part.planes)
    with path.open("wb") as file:
        file.write(b"\0" * (len(layout.header(0)) + len(ghost) + _directories_bytes(levels, layout)))
        for k in reversed(range(len(levels))):
            _append(file, levels[k], compressed_tiles(part, k))
        file.seek(0)
        _write_head(file, levels, layout, ghost)


def _raw_bytes(part: LayerPart) -> int:
    """Of all tiles that may be written."""
    rows, cols = tile_counts(part, 0)
    return rows * cols * TILE * TILE * part.layer.bytes_per_pixel * 4 // 3


def _levels(part: LayerPart, tags: list[Tag]) -> list[_Level]:
    levels = []
    for k in range(part.levels):
        height, width = part.size(k)
        rows, cols = tile_counts(part, k)
        own = [long_tag(254, 1), *overview_tags(tags)] if k else tags
        size = [long_tag(code, value) for code, value in ((256, width), (257, height), (322, TILE), (323, TILE))]
        places = np.zeros((2, rows * cols * part.planes), dtype=np.uint64)
        levels.append(_Level([*own, *size], places[0], places[1]))
    return levels


def _ghost(mark: Mark, planes: int) -> bytes:
    """What stands between the header and the first directory; tiles of several planes come in no plain order."""
    structure = _STRUCTURE.format(order="BLOCK_ORDER=ROW_MAJOR\n" if planes == 1 else "")
    text = f"GDAL_STRUCTURAL_METADATA_SIZE={len(structure):06d} bytes\n{structure}{mark}\n".encode()
    return text + b"\n" * (len(text) % 2)


def _directories_bytes(levels: list[_Level], layout: Layout) -> int:
    return sum(layout.directory_bytes(level.all_tags(layout)) for level in levels)


def _append(file: BinaryIO, level: _Level, tiles: Iterable[EncodedTile]) -> None:
    """Write tiles at the end, each with its size before it and its last bytes once more behind."""
    for tile in tiles:
        file.write(struct.pack("<I", len(tile.data)))
        level.place(tile, file.tell())
        file.write(tile.data + tile.data[-4:])


def _write_head(file: BinaryIO, levels: list[_Level], layout: Layout, ghost: bytes) -> None:
    start = len(layout.header(0)) + len(ghost)
    file.write(layout.header(start) + ghost)
    for k, level in enumerate(levels):
        tags = level.all_tags(layout)
        end = start + layout.directory_bytes(tags)
        file.write(layout.directory(tags, start, end if k + 1 < len(levels) else 0))
        start = end
