"""Long columns of numbers in files of a scratch folder: appended to in a stream, and read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PIECE = 2**20
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True)
class LongArray:
    """Numbers, or rows of so many numbers, in one file; only what is read stands in memory."""

    path: Path
    dtype: Any = "int64"
    width: int = 1
    """Numbers in a row."""

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add rows at the end."""
        if not len(values):
            return
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(values, dtype=self.dtype).tobytes())

    def __len__(self) -> int:
        return self.path.stat().st_size // self._row if self.path.exists() else 0

    @property
    def _row(self) -> int:
        return int(np.dtype(self.dtype).itemsize) * self.width

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Rows from one to before another; all by default."""
        stop = len(self) if stop is None else min(stop, len(self))
        if stop <= start:
            return self._shaped(np.zeros(0, dtype=self.dtype))
        values = np.fromfile(self.path, dtype=self.dtype, count=(stop - start) * self.width, offset=start * self._row)
        return self._shaped(values)

    def pieces(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """All rows in order, so many at once, each with the index of the first."""
        for start in range(0, len(self), PIECE):
            yield start, self.read(start, start + PIECE)

    def write(self, start: int, values: npt.NDArray[Any]) -> None:
        """Replace rows from one on."""
        with self.path.open("r+b") as file:
            file.seek(start * self._row)
            file.write(np.ascontiguousarray(values, dtype=self.dtype).tobytes())

    def put(self, rows: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> None:
        """Replace some rows, each named once, by index in any order."""
        order = np.argsort(rows, kind="stable")
        sorted_rows, sorted_values = rows[order], values[order]
        for start in np.unique(sorted_rows // PIECE) * PIECE:
            span = slice(*np.searchsorted(sorted_rows, (start, start + PIECE)))
            piece = self.read(int(start), int(start) + PIECE)
            piece[sorted_rows[span] - start] = sorted_values[span]
            self.write(int(start), piece)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Some rows, by index in any order; pieces without any of them are passed over."""
        order = np.argsort(rows, kind="stable")
        sorted_rows = rows[order]
        result = self._shaped(np.zeros(len(rows) * self.width, dtype=self.dtype))
        for start in np.unique(sorted_rows // PIECE) * PIECE:
            span = slice(*np.searchsorted(sorted_rows, (start, start + PIECE)))
            inside = sorted_rows[span]
            piece = self.read(int(inside[0]), int(inside[-1]) + 1)
            result[order[span]] = piece[inside - inside[0]]
        return result

    def _shaped(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values if self.width == 1 else values.reshape(-1, self.width)


@dataclass(frozen=True, slots=True)
class LongTable:
    """Columns of one length, each in a file."""

    folder: Path
    names: tuple[str, ...]

    def column(self, name: str) -> LongArray:
        """One of the columns."""
        return LongArray(self.folder / f"{name}.i64")

    def append(self, columns: dict[str, npt.NDArray[np.int64]]) -> None:
        """Add rows at the end."""
        for name in self.names:
            self.column(name).append(columns[name])

    def __len__(self) -> int:
        return len(self.column(self.names[0]))

    def read(self, start: int = 0, stop: int | None = None) -> dict[str, npt.NDArray[np.int64]]:
        """Rows from one to before another; all by default."""
        return {name: self.column(name).read(start, stop) for name in self.names}

    def take(self, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
        """Some rows, by index in any order."""
        return {name: self.column(name).take(rows) for name in self.names}
