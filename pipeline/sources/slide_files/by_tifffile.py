"""TIFFs whose tiles are decoded as they are stored: slides of whole tiles, and OME-TIFFs of any channels."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.interfaces import CAUSES
from pipeline.sources.gdal.colours import AS_STORED, Picture
from pipeline.sources.gdal.pixel_size import PixelSize, pixel_size, printed_size
from pipeline.sources.gdal.tiff_tags import ASSOCIATED
from pipeline.sources.slide_files.pyramid import StoredTile
from pipeline.sources.slide_files.tiff_levels import TiffLevels, tags_of
from pipeline.sources.slide_files.tiff_segments import PLANAR, read_segment, segment_shape

UNASSOCIATED = 2
"""Of TIFF's ExtraSamples: alpha by which the colours are not multiplied (TIFF 6.0, page 31)."""
ENTRY_BYTES = 80
"""Of each tile in the tables of a file: its place and its size, as Python's numbers in tuples."""


@dataclass(frozen=True, kw_only=True)
class TiffSlideFile:
    """An open TIFF."""

    path: str
    handle: Any
    levels: TiffLevels
    picture: Picture = AS_STORED
    """How its numbers become those that are read."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Of the handle."""

    @property
    def bands(self) -> int:
        """Samples of all pages of a level, or colours of a palette."""
        return self.picture.channels or len(self.levels.pages[0]) * self._samples

    @cached_property
    def alpha(self) -> int | None:
        """The sample that is alpha; of several pages none is."""
        extra = [int(kind) for kind in self._first.extrasamples]
        kinds = [kind in (ASSOCIATED, UNASSOCIATED) for kind in extra]
        return self._samples - len(extra) + kinds.index(True) if any(kinds) and self.bands == self._samples else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return np.dtype("uint8") if self.picture.table else self._stored_dtype

    @property
    def rgb(self) -> bool:
        """Whether the first three samples are red, green and blue."""
        if self.picture.table:
            return self.picture.channels == 3
        return len(self.levels.pages[0]) == 1 and self._samples - len(self._first.extrasamples) == 3

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """(rows, cols) of each level, px, the finest first."""
        return [(pages[0].keyframe.imagelength, pages[0].keyframe.imagewidth) for pages in self.levels.pages]

    @property
    def files(self) -> Sequence[str]:
        """The one file."""
        return [self.path]

    @property
    def notes(self) -> Sequence[str]:
        """Pages that are not read, and what is done about colours."""
        return [*self.levels.notes, *([self.picture.note] if self.picture.name else [])]

    @property
    def changes(self) -> Sequence[str]:
        """What is done about its numbers, in a word."""
        return [self.picture.name] if self.picture.name else []

    @property
    def stated_size(self) -> PixelSize | None:
        """What its tags say, down to a printer's resolution."""
        tags = tags_of(self.handle)
        return pixel_size(tags) or printed_size(tags)

    @property
    def header_bytes(self) -> int:
        """The places of all tiles."""
        return ENTRY_BYTES * sum(len(page.dataoffsets) for pages in self.levels.pages for page in pages)

    @property
    def folding_bytes(self) -> int:
        """0: no planes become one."""
        return 0

    def tile_shape(self, level: int) -> tuple[int, int]:
        """(rows, cols) of a tile, or of a strip, px."""
        return segment_shape(self.levels.pages[level][0])

    def is_exact(self, level: int) -> bool:
        """Always: tiles are decoded whole."""
        return True

    def read_tile(self, level: int, row: int, col: int, bands: Sequence[int]) -> StoredTile:
        """Decode a tile; what was never written, or is transparent, is invalid. Raises ReadError."""
        (rows, cols), (height, width) = self.tile_shape(level), self.shapes[level]
        size = min(rows, height - row * rows), min(cols, width - col * cols)
        place = row * -(-width // cols) + col
        if self.picture.table:
            return self._coloured(level, place, size, bands)
        masking = self.alpha if self.alpha is not None and self.alpha not in bands else None
        chosen = [*bands] if masking is None else [*bands, masking]
        data, is_written = self._samples_of(level, place, size, chosen)
        if not is_written:
            return _never_written(data[: len(bands)])
        data = self.picture.convert(data, None)
        return StoredTile(data=data, causes=None) if masking is None else self._masked(data)

    def close(self) -> None:
        """Give the handle back."""
        self.handle.close()

    @property
    def _first(self) -> Any:
        return self.levels.pages[0][0].keyframe

    @property
    def _samples(self) -> int:
        return int(self._first.samplesperpixel)

    @property
    def _stored_dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self._first.dtype)
        return dtype

    def _coloured(self, level: int, place: int, size: tuple[int, int], bands: Sequence[int]) -> StoredTile:
        """A tile of the colours of a palette."""
        data, is_written = self._samples_of(level, place, size, [0])
        colours, hidden = self.picture.convert(data, None)[list(bands)], self.picture.hides(data[0])
        if not is_written:
            return _never_written(colours)
        causes = None if hidden is None else np.where(hidden, CAUSES.index("nodata"), 0).astype(np.uint8)
        return StoredTile(data=colours, causes=causes)

    def _samples_of(
        self, level: int, place: int, size: tuple[int, int], chosen: Sequence[int]
    ) -> tuple[npt.NDArray[Any], bool]:
        """(samples, rows, cols) as they are stored, and whether all of them were written."""
        data, written = np.zeros((len(chosen), *size), self._stored_dtype), np.zeros(len(chosen), bool)
        for page in sorted({band // self._samples for band in chosen}):
            at = [k for k, band in enumerate(chosen) if band // self._samples == page]
            samples = self._decoded(level, page, place, [chosen[k] % self._samples for k in at])
            for k, sample in zip(at, samples, strict=True):
                if sample is not None:
                    data[k], written[k] = sample[: size[0], : size[1]], True
        return data, bool(written.all())

    def _decoded(self, level: int, page: int, place: int, samples: list[int]) -> list[npt.NDArray[Any] | None]:
        """(rows, cols) of samples of one page, at least as large as the tile inside the level; None where unwritten."""
        frame = self.levels.pages[level][page]
        if frame.keyframe.planarconfig != PLANAR or self._samples == 1:
            segment = read_segment(frame, place, self.lock)
            return [None if segment is None else segment[..., sample] for sample in samples]
        (rows, cols), (height, width) = self.tile_shape(level), self.shapes[level]
        count = -(-height // rows) * -(-width // cols)
        segments = [read_segment(frame, sample * count + place, self.lock) for sample in samples]
        return [None if segment is None else segment[..., 0] for segment in segments]

    def _masked(self, data: npt.NDArray[Any]) -> StoredTile:
        """Colours without their alpha, which was decoded last, divided by it where they were multiplied."""
        colours, alpha = data[:-1], data[-1]
        kind = int(self._first.extrasamples[self.alpha - self._samples])  # type: ignore[operator]  # there is alpha
        if kind == ASSOCIATED and self.dtype.kind == "u":
            largest = np.iinfo(self.dtype).max
            shares = colours.astype(np.float64) * largest / np.maximum(alpha, 1)
            colours = np.minimum(np.floor(shares + 0.5), largest).astype(self.dtype)
        hidden = alpha == 0
        return StoredTile(
            data=colours,
            causes=np.where(hidden, CAUSES.index("alpha"), 0).astype(np.uint8) if hidden.any() else None,
        )


def _never_written(data: npt.NDArray[Any]) -> StoredTile:
    return StoredTile(data=data, causes=np.full(data.shape[1:], CAUSES.index("never written"), np.uint8))
