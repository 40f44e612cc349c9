"""Slides that OpenSlide reads: its pixels at level 0, and at levels that it is seen to read as they are stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.interfaces import CAUSES
from pipeline.privacy.concealed import conceal_opened
from pipeline.runtime.optional_imports import require
from pipeline.sources.gdal.pixel_size import PixelSize
from pipeline.sources.slide_files.pyramid import StoredTile

READ_SIDE = 512
"""Rows and columns that are read at once, px."""
CACHE_BYTES = 32 * 2**20
"""Of OpenSlide's own tiles, which are none of the size of what is read."""
PROBES = (0.25, 0.5, 0.75)
"""Places of a level, as shares of its sides, at which windows are compared."""
PROBE_SIDE, PROBE_OFFSETS = 160, (37, 53)
"""Of the read that is compared, and of the window in it, px."""
UID = re.compile(r"\b[0-2](?:\.\d+){4,}\b")
"""A unique identifier of DICOM (PS3.5, 9.1)."""


@dataclass(frozen=True, kw_only=True)
class OpenSlideFile:
    """An open slide. OpenSlide's handles are safe from many threads; one that failed once tells nothing more."""

    path: str
    handle: Any
    vendor: str
    shapes: Sequence[tuple[int, int]]
    """(rows, cols) of each level, px, the finest first."""
    scales: Sequence[float]
    """Px of level 0 per px of each level, by OpenSlide."""
    stated_size: PixelSize | None
    """What OpenSlide makes of the vendor's numbers."""

    @property
    def bands(self) -> int:
        """Red, green and blue."""
        return 3

    @property
    def alpha(self) -> int | None:
        """None: what is transparent is invalid, and its colours are none."""
        return None

    @property
    def dtype(self) -> np.dtype[Any]:
        """OpenSlide has 8 bits of each colour."""
        return np.dtype("uint8")

    @property
    def rgb(self) -> bool:
        """Always."""
        return True

    @property
    def files(self) -> Sequence[str]:
        """The file that is named, and those that go with it."""
        return _files_of(self.path, self.vendor)

    @property
    def notes(self) -> Sequence[str]:
        """Nothing is left out."""
        return ()

    @property
    def changes(self) -> Sequence[str]:
        """None: it has one plane, and its colours are shown."""
        return ()

    @property
    def folding_bytes(self) -> int:
        """0: it has one plane."""
        return 0

    @property
    def header_bytes(self) -> int:
        """OpenSlide's cache; its own tables are small beside it."""
        return CACHE_BYTES

    def tile_shape(self, level: int) -> tuple[int, int]:
        """(rows, cols) of what is read at once, px."""
        height, width = self.shapes[level]
        return min(READ_SIDE, height), min(READ_SIDE, width)

    def read_tile(self, level: int, row: int, col: int, bands: Sequence[int]) -> StoredTile:
        """Decode a tile; never-scanned and transparent pixels are invalid. Raises ReadError."""
        (rows, cols), (height, width) = self.tile_shape(level), self.shapes[level]
        top, left = row * rows, col * cols
        pixels = self._read(level, top, left, min(rows, height - top), min(cols, width - left))
        transparent = pixels[3] == 0
        causes = np.where(transparent, CAUSES.index("alpha"), 0).astype(np.uint8) if transparent.any() else None
        return StoredTile(data=np.ascontiguousarray(pixels[list(bands)]), causes=causes)

    def is_exact(self, level: int) -> bool:
        """Whether windows of a level are equal to one larger read of it, at some places.

        OpenSlide takes places in pixels of level 0: where these are no whole multiples, it interpolates from where
        each window begins.
        """
        scale = self.scales[level]
        if level == 0:
            return True
        return float(scale).is_integer() and all(self._is_equal(level, share) for share in PROBES)

    def close(self) -> None:
        """Give the handle back."""
        self.handle.close()

    def _is_equal(self, level: int, share: float) -> bool:
        height, width = self.shapes[level]
        rows, cols = min(PROBE_SIDE, height), min(PROBE_SIDE, width)
        top, left = int((height - rows) * share), int((width - cols) * share)
        whole = self._read(level, top, left, rows, cols)
        down, across = min(PROBE_OFFSETS[0], rows - 1), min(PROBE_OFFSETS[1], cols - 1)
        part = self._read(level, top + down, left + across, rows - down, cols - across)
        return bool((part == whole[:, down:, across:]).all())

    def _read(self, level: int, row: int, col: int, height: int, width: int) -> npt.NDArray[np.uint8]:
        """(red, green, blue and alpha, rows, cols)."""
        scale = int(self.scales[level])
        try:
            image = self.handle.read_region((col * scale, row * scale), level, (width, height))
        except Exception as error:  # OpenSlide's own, and what Pillow makes of a damaged profile
            raise ReadError(
                f"{self.path} cannot be read at level {level}, row {row}, col {col}: {_reason(error)}"
            ) from error
        return np.asarray(image).transpose(2, 0, 1)


def vendor_of(path: str) -> str | None:
    """The name by which OpenSlide knows the form of a file; None where it knows none. Raises ExtraError."""
    openslide = require("openslide", "slides", "source.kind: slide")
    try:
        vendor = openslide.OpenSlide.detect_format(path)
    except openslide.OpenSlideError:
        return None
    return None if vendor is None else str(vendor)


def open_by_openslide(path: str, vendor: str) -> OpenSlideFile:
    """Open a slide; raises SourceError where it is damaged."""
    openslide = require("openslide", "slides", "source.kind: slide")
    conceal_opened([path, *_files_of(path, vendor)])  # OpenSlide's errors name them
    try:
        handle = openslide.OpenSlide(path)
        handle.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
        return OpenSlideFile(
            path=path,
            handle=handle,
            vendor=vendor,
            shapes=tuple((height, width) for width, height in handle.level_dimensions),
            scales=tuple(handle.level_downsamples),
            stated_size=_stated_size(handle.properties, vendor),
        )
    except openslide.OpenSlideError as error:
        raise SourceError(
            f"source.path is {path}, a slide of the form {vendor} that OpenSlide cannot open: {_reason(error)}. Give "
            f"the whole slide with all files and folders that belong to it."
        ) from error


def _files_of(path: str, vendor: str) -> list[str]:
    """The file that is named, and those that go with it: of DICOM its folder's, else those of a folder of its name."""
    file = Path(path)
    if vendor == "dicom":
        return [str(other) for other in sorted(file.parent.glob(f"*{file.suffix}")) if other.is_file()]
    beside = file.with_suffix("")
    inner = sorted(beside.rglob("*")) if beside.is_dir() else []
    return [path, *(str(other) for other in inner if other.is_file())]


def _reason(error: Exception) -> str:
    """What OpenSlide says, without the numbers by which an archive finds the patient."""
    conceal_opened(UID.findall(str(error)))  # --debug prints the error itself
    return UID.sub("…", str(error))


def _stated_size(properties: Mapping[str, str], vendor: str) -> PixelSize | None:
    try:
        height, width = (float(properties[f"openslide.mpp-{axis}"]) for axis in "yx")
    except (KeyError, ValueError):
        return None
    positive = height > 0 and width > 0
    return PixelSize(height=height, width=width, origin=f"its header ({vendor})") if positive else None
