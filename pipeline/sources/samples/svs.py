"""An SVS as Aperio's scanners write it: tiles of JPEG, a thumbnail, levels of whole squares, and two photographs.

Level 0 comes as rows of pieces, and nothing of it is held: the next level gathers in a file beside the slide, from
which the coarser ones and the thumbnail are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.geometry.span import Span, cut

Rgb = npt.NDArray[np.uint8]
"""(rows, cols, 3) red, green and blue."""
TILE_SIDE = 240
"""Side of a tile, px, as Aperio has it."""
STREAM_SIDE = 4 * TILE_SIDE
"""Side of a piece of level 0, px: tiles of level 0, and one tile of the next level."""
SQUARE_SIDE = 4
"""Pixels of a level whose mean is one of the next."""
SMALLEST_LEVEL = 2048
"""Side from which on a level has a next one, px."""
JPEG_QUALITY = 80
"""Of JPEG."""
THUMBNAIL_SIDE = 768
LARGE_FILE = 40_000
"""Side of level 0, px, from which on places in the file take 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPiece:
    """A piece of level 0."""

    tiles: list[list[bytes]]
    """By row and column of tiles; those beyond the slide are left out."""
    reduced: Rgb
    """The next level of it, whole squares alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideImages:
    """What shows the glass and not the tissue's pixels."""

    label: Rgb
    macro: Callable[[Rgb], Rgb]
    """Makes the photograph of the whole glass of the thumbnail."""


def write_svs(
    path: Path, size: int, rows: Iterable[list[EncodedPiece]], sides: SideImages, properties: dict[str, str]
) -> None:
    """Write a slide of ``size`` × ``size`` px.

    Parameters
    ----------
    path
        Of the file.
    size
        Of level 0, px.
    rows
        Pieces of level 0 by rows, from the top.
    sides
        Label and macro image.
    properties
        Of the image description, such as ``MPP``.
    """
    import tifffile

    with _gathering_file(path) as gathering, tifffile.TiffWriter(path, bigtiff=size >= LARGE_FILE) as file:
        write = _PageWriter(file, size, properties)
        write.tiled(_gathered(rows, gathering), size, f" ({TILE_SIDE}x{TILE_SIDE}) JPEG/YCC Q={JPEG_QUALITY}")
        levels = _levels(_gathered_level(gathering, size // SQUARE_SIDE))
        thumbnail = np.asarray(_resized(levels[-1], THUMBNAIL_SIDE))
        write.strips(thumbnail, f" -> {thumbnail.shape[1]}x{thumbnail.shape[0]} -|", "jpeg", 0)
        for image in levels:
            side = image.shape[0]
            write.tiled(_tiles(image), side, f" ({TILE_SIDE}x{TILE_SIDE}) -> {side}x{side} JPEG/YCC Q={JPEG_QUALITY}")
        write.strips(sides.label, f"\nlabel {sides.label.shape[1]}x{sides.label.shape[0]}", "lzw", 1)
        macro = sides.macro(thumbnail)
        write.strips(macro, f"\nmacro {macro.shape[1]}x{macro.shape[0]}", "jpeg", 9)


def encode(tile: Rgb) -> bytes:
    """A tile as JPEG, its colours at half the resolution."""
    import imagecodecs

    pixels = np.ascontiguousarray(tile)
    return bytes(
        imagecodecs.jpeg8_encode(pixels, level=JPEG_QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")
    )


def encoded_piece(picture: Rgb, rows: Span, cols: Span) -> EncodedPiece:
    """A piece of level 0.

    Parameters
    ----------
    picture
        Whole tiles, beyond the slide too.
    rows, cols
        Of the piece that lie on the slide, px.
    """
    tiles = [
        [encode(picture[row : row + TILE_SIDE, col : col + TILE_SIDE]) for col in range(0, cols.size, TILE_SIDE)]
        for row in range(0, rows.size, TILE_SIDE)
    ]
    return EncodedPiece(tiles=tiles, reduced=reduced(picture[: rows.size, : cols.size]))


def reduced(picture: Rgb) -> Rgb:
    """The next level: means of whole squares, rounded half up; what is no whole square is left out."""
    rows, cols = (length // SQUARE_SIDE for length in picture.shape[:2])
    squares = picture[: rows * SQUARE_SIDE, : cols * SQUARE_SIDE].reshape(rows, SQUARE_SIDE, cols, SQUARE_SIDE, 3)
    sums = squares.astype(np.uint16).sum(axis=(1, 3), dtype=np.uint16)
    return np.asarray((sums + SQUARE_SIDE * SQUARE_SIDE // 2) // (SQUARE_SIDE * SQUARE_SIDE), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _PageWriter:
    """Writes pages, each with its description."""

    file: Any
    size: int
    properties: dict[str, str]

    def tiled(self, tiles: Iterator[bytes], side: int, text: str) -> None:
        """A level of encoded tiles."""
        self.file.write(
            tiles,
            shape=(side, side, 3),
            dtype="uint8",
            tile=(TILE_SIDE, TILE_SIDE),
            photometric="ycbcr",
            subsampling=(2, 2),
            compression="jpeg",
            metadata=None,
            software=False,
            description=self._described(text),
        )

    def strips(self, image: Rgb, text: str, compression: str, kind: int) -> None:
        """A small picture."""
        self.file.write(
            image,
            photometric="rgb",
            rowsperstrip=16,
            compression=compression,
            subfiletype=kind,
            metadata=None,
            software=False,
            description=self._described(text),
        )

    def _described(self, text: str) -> str:
        pairs = "".join(f"|{name} = {value}" for name, value in self.properties.items())
        place = f"{self.size}x{self.size} [0,0 {self.size}x{self.size}]"
        whole = text if text.startswith("\n") else f"\n{place}{text}"
        return f"Aperio Image Library v12.0.15{whole.replace(chr(10), chr(13) + chr(10))}{pairs}"


@contextmanager
def _gathering_file(path: Path) -> Iterator[BinaryIO]:
    """A file beside the slide, which is deleted in the end."""
    place = path.with_name(f"{path.name}.level")
    try:
        with place.open("wb") as file:
            yield file
    finally:
        place.unlink(missing_ok=True)


def _gathered(rows: Iterable[list[EncodedPiece]], gathering: BinaryIO) -> Iterator[bytes]:
    """Tiles of level 0 in the order of the file, while the next level gathers."""
    for pieces in rows:
        gathering.write(np.concatenate([piece.reduced for piece in pieces], axis=1).tobytes())
        for row in range(len(pieces[0].tiles)):
            for piece in pieces:
                yield from piece.tiles[row]


def _gathered_level(gathering: BinaryIO, side: int) -> Rgb:
    """The level that was gathered, which stays on the disk."""
    gathering.flush()
    return np.memmap(gathering.name, dtype=np.uint8, mode="r", shape=(side, side, 3))


def _levels(first: Rgb) -> list[Rgb]:
    """All levels after level 0."""
    levels = [first]
    while levels[-1].shape[0] > SMALLEST_LEVEL:
        level = levels[-1]
        strips = [reduced(level[span.start : span.stop]) for span in cut(level.shape[0], STREAM_SIDE)]
        levels.append(np.concatenate(strips))
    return levels


def _tiles(image: Rgb) -> Iterator[bytes]:
    """Tiles of a level that is there; the last ones are filled with the pixels at its edge."""
    for rows in cut(image.shape[0], TILE_SIDE):
        for cols in cut(image.shape[1], TILE_SIDE):
            tile = image[rows.start : rows.stop, cols.start : cols.stop]
            yield encode(np.pad(tile, ((0, TILE_SIDE - rows.size), (0, TILE_SIDE - cols.size), (0, 0)), mode="edge"))


def _resized(image: Rgb, side: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((side, side), Image.Resampling.BOX)
    return picture
