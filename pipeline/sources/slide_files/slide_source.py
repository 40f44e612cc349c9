"""A slide as a source: windows of one level, or of one grid that the level is resampled to."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.geometry.grid import Grid
from pipeline.geometry.resampling import STRIP, Axis, Method, resampled, widened
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, lattice_parts
from pipeline.interfaces import CAUSES, Pixels
from pipeline.runtime.resources import cores
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.slide_files.opening import NOTHING_CHOSEN, open_planes, open_slide_file
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.pyramid import Level, SlideFile
from pipeline.sources.slide_files.region import read_region
from pipeline.sources.slide_files.tile_cache import TileCache
from pipeline.sources.validity.band_causes import CauseCodes, joined, with_unusable
from pipeline.sources.validity.nodata import nodata_interval
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.beyond_edges import read_beyond

SIDE_ON_LEVEL = 1024
"""Rows and columns of the level that are resampled at once, px, about."""
SMALLEST_SIDE_ON_GRID = 4
"""The same of the grid, at least, px."""
CACHED_ROWS = 2
"""Rows of tiles that are held where windows of the grid share them."""
LARGEST_CACHE = 128 * 2**20
"""Bytes of these, at most."""


@dataclass(frozen=True, kw_only=True)
class SlideSource:
    """A slide and how it is read. Pickles as this spec; a process has one open file and one cache of tiles."""

    path: str
    level: Level
    """That pixels are taken from."""
    grid: Grid
    """Size and georeference."""
    step: tuple[float, float]
    """(height, width) of a pixel of the grid, px of level 0."""
    corner: tuple[float, float]
    """(row, col) of the grid's corner, px of level 0."""
    method: Method
    channels: tuple[int, ...]
    """Bands that are read, from 0."""
    dtype: np.dtype[Any]
    nodata: Literal["auto"] | int | float | None
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are nodata, or where any is."""
    choice: PlaneChoice = NOTHING_CHOSEN
    """Which planes are bands. Where planes are chosen, the file says what is nodata."""
    is_slide: bool = True
    """Whether it is opened as slides are; else as a TIFF of planes."""
    rgb: tuple[int, ...] = ()
    """Which of the bands read, from 0, are red, green and blue."""
    notes: tuple[str, ...] = ()
    """What a person must know of how it is read."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False, compare=False)
    """By which it is found again where it comes by pickle once more."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False, init=False)
    _open: dict[str, SlideFile] = field(default_factory=dict, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        spec = {part.name: getattr(self, part.name) for part in fields(self) if part.init and part.name != "name"}
        return process_singleton.get_or_create, (type(self), self.name, spec)

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return len(self.channels)

    @cached_property
    def aligned(self) -> bool:
        """Whether the grid has the level's own pixels, which are read as they are stored."""
        return all(axis.same(length) for axis, length in zip(self._axes, self._size, strict=True))

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the level's tiles, or of what is resampled at once, px."""
        if self.aligned:
            return self.level.tile
        unit = self._unit
        return min(unit, self.grid.height), min(unit, self.grid.width)

    @cached_property
    def open_files(self) -> int:
        """Bytes of the tiles that are held, and of what the open file takes."""
        return self._cache_bytes + self._file.header_bytes

    @cached_property
    def working_bytes(self) -> int:
        """Bytes that a reader holds while it decodes tiles, and while it resamples a unit."""
        rows, cols = self.level.tile
        decoding = cores() * (3 * self._tile_bytes + rows * cols * self._file.folding_bytes)
        if self.aligned:
            return decoding
        rows, cols = (span.size for span in self._outer(Window(row=0, col=0, height=self._unit, width=self._unit)))
        floats = 3 * 8 * STRIP * (cols + self._unit)
        return decoding + floats + 2 * rows * cols * (self.bands * self.dtype.itemsize + 2)

    def identity(self) -> dict[str, Any]:
        """Path, files, grid, and which pixels it is made of."""
        rows, cols = self.level.rows, self.level.cols
        return {
            **identity_of(self.path, list(self._file.files)),
            "grid": self.grid.as_dict(),
            "bands": [channel + 1 for channel in self.channels],
            "nodata": str(self.nodata),
            "nodata_rule": self.rule,
            "scale_tags": False,
            "as": list(self._file.changes),
            "level": [self.level.index, *self.level.shape, rows.scale, cols.scale, rows.origin, cols.origin],
            "level_0_px": [*self.step, *self.corner],
            "resampling": None if self.aligned else self.method,
        }

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the slide is invalid.

        Raises
        ------
        ReadError
            A tile cannot be decoded.
        """
        return read_beyond(self, window, self._read)

    def _read(self, window: Window) -> Pixels:
        data = np.empty((self.bands, window.height, window.width), self.dtype)
        causes = np.zeros(data.shape[1:], np.uint8)
        try:
            for part in lattice_parts(window, self._unit, self._unit):
                where = part.index_in(window)
                pixels, codes = self._stored(part) if self.aligned else self._resampled(part)
                data[(slice(None), *where)] = pixels
                if codes is not None:
                    causes[where] = codes
        except ReadError:
            self._close()  # OpenSlide's handle that failed once goes on failing
            raise
        except SourceError as error:  # the file is opened by each process, and may have changed
            raise ReadError(f"{self.path} cannot be read: {str(error)[:200]}") from error
        aligned = Window.of(window.rows.align(self.block[0]), window.cols.align(self.block[1]))
        decoded = aligned.clip(self.grid.height, self.grid.width).pixels
        valid = causes == 0
        return Pixels(data=data, valid=valid, causes=None if valid.all() else causes, decoded=decoded)

    def _resampled(self, window: Window) -> tuple[npt.NDArray[Any], CauseCodes | None]:
        """A pixel is invalid where any is of which it is a sum."""
        rows, cols = (axis.taps(span, self.method) for axis, span in self._spans(window))
        raw, codes = self._stored(Window.of(rows.span, cols.span))
        if codes is not None:
            raw = np.where(codes == 0, raw, np.zeros((), raw.dtype))
        data = np.stack([resampled(band, rows, cols) for band in raw])
        return data, None if codes is None else widened(codes, rows, cols)

    def _stored(self, window: Window) -> tuple[npt.NDArray[Any], CauseCodes | None]:
        """(bands, rows, cols) of a window of the level as they are stored, and codes of `CAUSES`."""
        data, codes = read_region(self._file, self.level, window, self.channels, self._cache)
        if self.choice.chooses:
            return data, codes
        if self.nodata is None:
            codes = None
        marks = joined([self._band_codes(band) for band in data], self.rule)
        if codes is None or marks is None:
            return data, marks if codes is None else codes
        return data, np.where(codes == 0, marks, codes)

    def _band_codes(self, band: npt.NDArray[Any]) -> CauseCodes | None:
        """Codes of one band by its numbers alone."""
        codes = None
        if self.nodata not in ("auto", None):
            value = nodata_interval(self.nodata, band.dtype)  # type: ignore[arg-type]  # a number, as the line above says
            codes = None if value is None else np.where(value.marks(band), CAUSES.index("nodata"), 0).astype(np.uint8)
        return with_unusable(band, codes)

    @property
    def _size(self) -> tuple[int, int]:
        return self.grid.height, self.grid.width

    @cached_property
    def _axes(self) -> tuple[Axis, Axis]:
        rows, cols = (
            axis.target(step, corner)
            for axis, step, corner in zip((self.level.rows, self.level.cols), self.step, self.corner, strict=True)
        )
        return rows, cols

    def _spans(self, window: Window) -> Iterator[tuple[Axis, Span]]:
        return zip(self._axes, (window.rows, window.cols), strict=True)

    def _outer(self, window: Window) -> Iterator[Span]:
        """The spans of the level that a window of the grid is made of."""
        return (axis.taps(span, self.method).span for axis, span in self._spans(window))

    @cached_property
    def _unit(self) -> int:
        """Rows and columns of the grid that are made at once, px; of the level's own pixels all of a window."""
        if self.aligned:
            return max(self._size)
        side = int(SIDE_ON_LEVEL / max(axis.step for axis in self._axes))
        return max(SMALLEST_SIDE_ON_GRID, 1 << max(side.bit_length() - 1, 0))

    @property
    def _tile_bytes(self) -> int:
        rows, cols = self.level.tile
        return rows * cols * (self.bands * self.dtype.itemsize + 1)

    @property
    def _cache_bytes(self) -> int:
        if self.aligned:
            return 0
        across = -(-self.level.cols.length // self.level.tile[1])
        return min(CACHED_ROWS * across * self._tile_bytes, max(LARGEST_CACHE, 4 * self._tile_bytes))

    @cached_property
    def _cache(self) -> TileCache:
        return TileCache(self._cache_bytes)

    @property
    def _file(self) -> SlideFile:
        """The open slide of this process."""
        with self._lock:
            if "file" not in self._open:
                self._open["file"] = self._opened()
            return self._open["file"]

    def _opened(self) -> SlideFile:
        return open_slide_file(self.path, self.choice) if self.is_slide else open_planes(self.path, self.choice)

    def _close(self) -> None:
        """Forget the handle: others may still read by it, and let it go with them."""
        with self._lock:
            self._open.clear()
