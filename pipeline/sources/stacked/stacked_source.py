"""Bands of several sources side by side, on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.stacked.names import with_keys_of_part
from pipeline.sources.stacked.validity import invalid_codes
from pipeline.sources.validity.band_causes import CauseCodes, joined
from pipeline.sources.wrappers.beyond_edges import read_beyond

STRIP_PIXELS = 2**20
"""Pixels of a window that are put together at once."""
VALIDITY_BYTES = 4
"""Bytes per pixel for whether it is valid, and why not."""
MAX_NAMED_BANDS = 4
"""Bands of a source that a note names."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One source of a stack."""

    name: str
    """By which notes and names of bands tell it from the others."""
    source: Source
    """On the grid of the stack."""
    band_names: tuple[str, ...]

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of its bands, and of whether they are valid."""
        return self.source.bands * self.source.dtype.itemsize + VALIDITY_BYTES


@dataclass(frozen=True, kw_only=True)
class StackedSource:
    """Several sources as one. Pickles as the specs of its parts."""

    parts: tuple[Part, ...]
    """In the order of the bands."""
    grid: Grid
    dtype: np.dtype[Any]
    """Which holds the numbers of all parts."""
    rule: Literal["any", "all"]
    """Pixels are invalid where any part is, or where all are."""

    @cached_property
    def bands(self) -> int:
        """Number of bands of all parts."""
        return sum(part.source.bands for part in self.parts)

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the largest blocks of a part, px; what is read of smaller ones is decoded as well."""
        rows, cols = max((part.source.block for part in self.parts), key=lambda block: block[0] * block[1])
        return rows, cols

    @cached_property
    def band_names(self) -> tuple[str, ...]:
        """``source:band`` of every band."""
        return tuple(f"{part.name}:{name}" for part in self.parts for name in part.band_names)

    @cached_property
    def rgb(self) -> tuple[int, ...]:
        """Which bands, from 0, are red, green and blue of the first part that knows its own."""
        first = 0
        for part in self.parts:
            if part.source.rgb:
                return tuple(first + band for band in part.source.rgb)
            first += part.source.bands
        return ()

    @property
    def open_files(self) -> int:
        """Bytes that the files of all parts hold while they are open."""
        return sum(part.source.open_files for part in self.parts)

    @cached_property
    def working_bytes(self) -> int:
        """Bytes that a read holds beside what it returns: a strip of one part, what it is made of, and all validity."""
        strip = min(STRIP_PIXELS, self.grid.height * self.grid.width)
        largest = max(strip * part.bytes_per_pixel + part.source.working_bytes for part in self.parts)
        return largest + strip * len(self.parts)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Which band comes from where, and what is to be said of each part."""
        return (*self._band_notes(), *self._dtype_notes(), *self._part_notes())

    def identity(self) -> dict[str, Any]:
        """The grid and the rule, and of each part its own identity, by its place in ``source.path``."""
        parts = {
            f"path.{k}.{key}": value
            for k, part in enumerate(self.parts)
            for key, value in {"warp": None, **part.source.identity()}.items()
        }
        return {"grid": self.grid.as_dict(), "sources": len(self.parts), "stack_rule": self.rule, **parts}

    def with_stored_grid(self, stored: Mapping[str, Any]) -> StackedSource:
        """The same with the grid that a store was made with, where only its last digits differ.

        Parameters
        ----------
        stored
            The fingerprint of a store, or of a frozen plan.
        """
        parts = [
            replace(part, source=part.source.with_stored_grid(_of_part(stored, k)))
            if isinstance(part.source, Regridded)
            else part
            for k, part in enumerate(self.parts)
        ]
        grids = [part.source.grid for part in parts if isinstance(part.source, Regridded)]
        return replace(self, parts=tuple(parts), grid=grids[0] if grids else self.grid)

    def read(self, window: Window) -> Pixels:
        """Read a window; what lies outside the grid is invalid.

        Raises
        ------
        ReadError
            A part cannot be read.
        """
        return read_beyond(self, window, self._read)

    def _read(self, window: Window) -> Pixels:
        data = np.empty((self.bands, window.height, window.width), self.dtype)
        causes, decoded = np.zeros(data.shape[1:], np.uint8), 0
        for strip in self._strips(window):
            where = strip.index_in(window)
            codes, pixels = self._read_strip(strip, data[(slice(None), *where)])
            decoded += pixels
            if codes is not None:
                causes[where] = codes
        return Pixels(data=data, valid=causes == 0, causes=causes if causes.any() else None, decoded=decoded)

    def _read_strip(self, strip: Window, data: npt.NDArray[Any]) -> tuple[CauseCodes | None, int]:
        """Put the bands of a strip into an array, and return the codes of its pixels and how many were decoded."""
        codes, decoded, first = [], 0, 0
        for part in self.parts:
            pixels = part.source.read(strip)
            data[first : first + len(pixels.data)] = pixels.data
            codes.append(invalid_codes(pixels, self.rule))
            decoded, first = max(decoded, pixels.decoded), first + len(pixels.data)
        return joined(codes, self.rule), decoded

    def _strips(self, window: Window) -> Iterator[Window]:
        """Parts of a window, of whole rows, that begin where blocks do as far as they are low enough."""
        limit, block = max(STRIP_PIXELS // window.width, 1), self.block[0]
        row, stop = window.row, window.row + window.height
        while row < stop:
            end = row + limit
            end = min(end - end % block if end - end % block > row else end, stop)
            yield Window(row=row, col=window.col, height=end - row, width=window.width)
            row = end

    def _band_notes(self) -> Iterator[str]:
        first = 1
        for part in self.parts:
            last = first + part.source.bands - 1
            more = ", …" if len(part.band_names) > MAX_NAMED_BANDS else ""
            names = ", ".join(f"{part.name}:{name}" for name in part.band_names[:MAX_NAMED_BANDS]) + more
            yield f"band {first} is {names}" if first == last else f"bands {first} to {last} are {names}"
            first = last + 1

    def _dtype_notes(self) -> Iterator[str]:
        dtypes = [*dict.fromkeys(str(part.source.dtype) for part in self.parts)]
        if len(dtypes) > 1:
            yield f"numbers of {' and '.join(dtypes)} are read as {self.dtype}"

    def _part_notes(self) -> Iterator[str]:
        """What parts have in common once, with the names of those that have it."""
        notes: dict[str, list[str]] = {}
        for k, part in enumerate(self.parts):
            for note in part.source.notes:
                notes.setdefault(with_keys_of_part(note, k), []).append(part.name)
        return (f"{', '.join(names)}: {note}" for note, names in notes.items())


def _of_part(stored: Mapping[str, Any], k: int) -> dict[str, Any]:
    """How a part was warped, of the fingerprint of a stack."""
    return {"source.grid": stored.get("source.grid"), "source.warp": stored.get(f"source.path.{k}.warp")}
