"""Arrays of a file, read as one raster."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError, StoreError
from pipeline.geometry.grid import IDENTITY, Grid
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, lattice_parts
from pipeline.interfaces import CAUSES, Pixels
from pipeline.redact import mask_urls, redacted
from pipeline.sources.array_files.array_file import ArrayFile, ArrayReader
from pipeline.sources.array_files.chunk_reads import read_chunks, read_planes
from pipeline.sources.array_files.meaning import Meaning
from pipeline.sources.array_files.opening import open_array_file
from pipeline.sources.array_files.plane_fold import PlaneFold, fold_bytes
from pipeline.sources.array_files.selection import Selection
from pipeline.sources.band_tags import RGB
from pipeline.sources.validity.band_causes import CauseCodes, joined, joined_with, with_unusable
from pipeline.sources.validity.nodata import Nodata, Number, nodata_interval
from pipeline.sources.wrappers import process_singleton
from pipeline.sources.wrappers.beyond_edges import read_beyond

FOLDED_SIDE = 512
"""Rows and columns of which planes are folded at once, px, unless a chunk has more."""
FAULTS = (OSError, ValueError, RuntimeError, KeyError, MemoryError, StoreError, SourceError)
"""What libraries raise where a part of a file cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPart:
    """One array, and the part of it that is read."""

    name: str
    """Its path in the file."""
    selection: Selection
    meaning: Meaning
    chunk: tuple[int, int]
    """(rows, cols) of what is decoded at once, px."""
    working_bytes: int
    """Bytes of the chunks that a read holds, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidityArray:
    """The mask of a store of ours, which says where its other layers hold an answer."""

    name: str
    nodata: int
    fill: float
    """What the layer itself holds where there is no answer."""


@dataclass(frozen=True, kw_only=True)
class ArraysSource:
    """Arrays on one grid. Pickles as this spec; each process opens the file on first use."""

    path: str
    parts: tuple[ArrayPart, ...]
    """In the order of the network's bands."""
    grid: Grid
    """Size and georeference."""
    from_bottom: bool
    """Whether the last row of the file is the first one of the raster."""
    from_right: bool
    nodata: Literal["auto"] | int | float | None
    rule: Literal["all", "any"]
    """Pixels are invalid where all bands are, or where any is."""
    scale_tags: bool
    """Whether the scale and offset of the attributes are applied."""
    notes: tuple[str, ...] = ()
    """What a person must know of how it is read."""
    mask: ValidityArray | None = None
    name: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False, compare=False)
    """By which its handles are found again where it comes by pickle once more."""
    _readers: dict[str, ArrayReader] = field(default_factory=dict, repr=False, compare=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        skipped = ("name", "_readers", "_lock")
        spec = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in skipped}
        return process_singleton.get_or_create, (type(self), self.name, spec)

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return sum(len(part.selection.bands) for part in self.parts)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The smallest dtype that holds the raw pixels of all bands; float32 where scale and offset are applied."""
        if self.scale_tags:
            return np.dtype("float32")
        return np.result_type(*(part.meaning.dtype for part in self.parts))

    @property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the largest chunk, px."""
        return max((part.chunk for part in self.parts), key=lambda chunk: chunk[0] * chunk[1])

    @cached_property
    def rgb(self) -> tuple[int, ...]:
        """Which of the bands, from 0, are red, green and blue by their labels."""
        names = [name.lower() for part in self.parts for name in part.selection.names]
        return tuple(names.index(colour) for colour in RGB) if set(RGB) <= set(names) else ()

    @property
    def open_files(self) -> int:
        """0: one file is open."""
        return 0

    @property
    def working_bytes(self) -> int:
        """Bytes of the chunks that a read holds, compressed and decoded, and of planes while they are folded."""
        rows, cols = self._unit
        folding = rows * cols * max((_folding_bytes(part, self.scale_tags) for part in self.parts), default=0)
        return 2 * max(part.working_bytes for part in self.parts) + folding

    def identity(self) -> dict[str, Any]:
        """Path, files, grid, and what is read of them."""
        names = [part.name for part in self.parts] + ([self.mask.name] if self.mask else [])
        first = self.parts[0].selection
        return {
            **open_array_file(self.path).identity(names),
            "path": redacted(self.path),
            "grid": self.grid.as_dict(),
            "bands": [_band_identity(part, place) for part in self.parts for place in part.selection.bands],
            "nodata": str(self.nodata),
            "nodata_rule": self.rule,
            "scale_tags": self.scale_tags,
            "axes": [first.rows, first.columns, self.from_bottom, self.from_right],
            **self._level_0_px(),
        }

    def _level_0_px(self) -> dict[str, list[float]]:
        """Height, width, row and column of the first pixel, px of level 0, of a level of an OME-Zarr below it."""
        across, _, left, _, down, top = self.grid.image_px
        return {} if self.grid.image_px == IDENTITY else {"level_0_px": [down, across, top, left]}

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the raster is invalid.

        Raises
        ------
        ReadError
            It cannot be read.
        Unfinished
            The storage is away.
        """
        return read_beyond(self, window, self._read)

    def _read(self, window: Window) -> Pixels:
        try:
            return self._pixels(window, self._in_file(window))
        except FAULTS as error:
            with self._lock:
                self._readers.clear()  # a handle that failed once may go on failing
            text = str(error).strip().splitlines()
            raise ReadError(
                f"{mask_urls(self.path)} cannot be read at {window}: "
                f"{mask_urls(text[0])[:200] if text else type(error).__name__}"
            ) from error

    def _pixels(self, window: Window, in_file: Window) -> Pixels:
        stacks, codes = list[npt.NDArray[Any]](), list[CauseCodes | None]()
        for part in self.parts:
            raw, marks = self._part(part, in_file) if part.selection.folded is None else self._folded(part, in_file)
            stacks.append(raw)
            codes += marks
        data = stacks[0] if len(stacks) == 1 else np.concatenate([stack.astype(self.dtype) for stack in stacks])
        hidden = None if self.mask is None or self.nodata is None else self._hidden(self.mask, data, in_file)
        causes = joined(codes, self.rule) if hidden is None else joined_with(codes, [hidden], self.rule)
        data, causes = self._turned(data), None if causes is None else self._turned(causes)
        valid = np.ones(data.shape[1:], bool) if causes is None else causes == 0
        return Pixels(data=data, valid=valid, causes=causes, decoded=self._decoded(in_file))

    def _part(self, part: ArrayPart, window: Window) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        """(bands, rows, cols) of one array, and (rows, cols) codes of the invalid pixels of each band."""
        raw, missing = read_chunks(self._reader(part.name), part.selection, window)
        return self._with_codes(part, raw, missing, range(len(part.selection.bands)))

    def _folded(self, part: ArrayPart, window: Window) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        """The same of an array whose planes become one, some rows and columns at a time."""
        selection, dtype = part.selection, _read_dtype(part, self.scale_tags)
        data = np.empty((len(selection.bands), window.height, window.width), dtype)
        codes = np.zeros(data.shape, np.uint8)
        for unit in lattice_parts(window, *self._unit):
            fold = PlaneFold(selection.projection, (len(data), unit.height, unit.width), dtype, self.rule)
            for plane in read_planes(self._reader(part.name), selection, unit):
                bands = range(len(data))[plane.where[0]]
                fold.add(*self._with_codes(part, plane.numbers, plane.missing, bands), plane.where)
            where = (slice(None), *unit.index_in(window))
            data[where], marks = fold.result()
            for band, entry in enumerate(marks):
                if entry is not None:
                    codes[(band, *where[1:])] = entry
        return data, [codes[k] if codes[k].any() else None for k in range(len(codes))]

    def _with_codes(
        self, part: ArrayPart, raw: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None, bands: range
    ) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        """Numbers of some bands as they are read, and (rows, cols) codes of the invalid pixels of each."""
        raw = part.meaning.convert(raw)
        values = self._nodata(part)
        codes = []
        for k, band in enumerate(raw):
            marks = None
            if self.nodata is not None:
                absent = None if missing is None or self.mask is not None else missing[k]
                marks = _marks(band, values, absent)
            codes.append(with_unusable(band, marks))
        return _scaled(part, raw, bands) if self.scale_tags else raw, codes

    def _nodata(self, part: ArrayPart) -> list[Nodata]:
        """Numbers that mean nothing: those of the config, else of the attributes."""
        numbers: Sequence[Number] = part.meaning.nodata if self.nodata == "auto" else (self.nodata,)  # type: ignore[assignment]
        return [
            interval
            for number in numbers
            if number is not None and (interval := nodata_interval(number, part.meaning.dtype)) is not None
        ]

    def _hidden(self, mask: ValidityArray, data: npt.NDArray[Any], window: Window) -> CauseCodes:
        """(rows, cols) codes of pixels for which a store of ours has no answer."""
        selection = Selection(rows=0, columns=1, places=(0, 0))
        codes, _ = read_chunks(self._reader(mask.name), selection, window)
        silent = np.isnan(data).all(0) if np.isnan(mask.fill) else (data == mask.fill).all(0)
        return np.where((codes[0] == mask.nodata) & silent, CAUSES.index("nodata"), 0).astype(np.uint8)

    def _in_file(self, window: Window) -> Window:
        """A window of the raster in the order of the file."""
        height, width = self.grid.height, self.grid.width
        rows, cols = window.rows, window.cols
        if self.from_bottom:
            rows = Span(height - rows.stop, height - rows.start)
        if self.from_right:
            cols = Span(width - cols.stop, width - cols.start)
        return Window.of(rows, cols)

    def _turned(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pixels of the file in the order of the raster."""
        if not (self.from_bottom or self.from_right):
            return pixels
        rows, cols = (slice(None, None, -1 if turned else 1) for turned in (self.from_bottom, self.from_right))
        return np.ascontiguousarray(pixels[..., rows, cols])

    @property
    def _unit(self) -> tuple[int, int]:
        """(rows, cols) of which planes are folded at once, px: whole chunks."""
        rows, cols = (max(FOLDED_SIDE // chunk, 1) * chunk for chunk in self.block)
        return min(rows, self.grid.height), min(cols, self.grid.width)

    def _decoded(self, in_file: Window) -> int:
        """Pixels of the chunks that hold a window."""
        rows, cols = self.block
        aligned = Window.of(in_file.rows.align(rows), in_file.cols.align(cols))
        return aligned.clip(self.grid.height, self.grid.width).pixels

    def _reader(self, name: str) -> ArrayReader:
        with self._lock:
            if name not in self._readers:
                file: ArrayFile = open_array_file(self.path)
                names = [part.name for part in self.parts] + ([self.mask.name] if self.mask else [])
                self._readers.update({entry: file.array(entry) for entry in names})
            return self._readers[name]


def _marks(
    band: npt.NDArray[Any], values: Sequence[Nodata], missing: npt.NDArray[np.bool_] | None
) -> CauseCodes | None:
    """(rows, cols) codes of one band; None where all is valid."""
    codes = np.zeros(band.shape, np.uint8)
    for value in values:
        codes[value.marks(band)] = CAUSES.index("nodata")
    if missing is not None:
        codes[missing] = CAUSES.index("never written")
    return codes if codes.any() else None


def _scaled(part: ArrayPart, raw: npt.NDArray[Any], bands: range) -> npt.NDArray[np.float32]:
    """(bands, rows, cols) with scale and offset applied, as those of a raster are."""
    scaled = []
    for numbers, band in zip(raw, bands, strict=True):
        scale, offset = part.meaning.factors(part.selection.bands[band])
        scaled.append(numbers.astype(np.float32) * scale + offset)
    return np.stack(scaled)


def _read_dtype(part: ArrayPart, scale_tags: bool) -> np.dtype[Any]:
    """In which an array is read."""
    return np.dtype("float32") if scale_tags else part.meaning.dtype


def _folding_bytes(part: ArrayPart, scale_tags: bool) -> int:
    """Bytes that a pixel of an array takes while its planes are folded; 0 where none are."""
    if part.selection.folded is None:
        return 0
    return len(part.selection.bands) * fold_bytes(_read_dtype(part, scale_tags))


def _band_identity(part: ArrayPart, place: int) -> str:
    """The array and the place in it that a band is."""
    return f"{part.name}[{', '.join(map(str, part.selection.index(place)))}]"
