"""What a file of arrays offers, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Index = Sequence[slice | list[int]]
"""A part of an array: a slice of each dimension, or places along one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayInfo:
    """What an array says of itself."""

    name: str
    """Its path in the file, such as ``0/mask``; empty where the file is the array."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dimensions: tuple[str, ...]
    """Name of each dimension; empty strings where it has none."""
    attributes: Mapping[str, Any]
    chunks: tuple[int, ...]
    """What is decoded at once, along each dimension."""
    fill: Any = None
    """What a chunk holds that was never written; None where all of them are there."""

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk."""
        return int(np.prod(self.chunks, dtype=np.int64)) * self.dtype.itemsize


class ArrayReader(Protocol):
    """One array of an open file. Safe from many threads."""

    @property
    def info(self) -> ArrayInfo:
        """What it says of itself."""

    def read(self, index: Index) -> npt.NDArray[Any]:
        """The numbers of a part, with all dimensions."""

    def is_written(self, chunk: tuple[int, ...]) -> bool:
        """Whether a chunk is there, by its place among the chunks of each dimension."""


class ArrayFile(Protocol):
    """An open file, or a hierarchy of Zarr. Safe from many threads."""

    @property
    def inner(self) -> str:
        """The part of the path that lies in it, such as ``0``."""

    def array(self, name: str) -> ArrayReader:
        """An array by its path in the file. Raises KeyError where there is none."""

    def names(self) -> list[str]:
        """Paths of the arrays, as far as they can be listed."""

    def group_attributes(self, name: str) -> Mapping[str, Any]:
        """Attributes of a group; nothing where there is none."""

    def identity(self, names: Sequence[str]) -> dict[str, Any]:
        """By what another file under the same name is noticed, given the arrays that are read."""


def groups_above(name: str) -> list[str]:
    """The groups that hold an array, the nearest first; the root is empty."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]


def joined_path(*parts: str) -> str:
    """A path in a file, of parts of which some may be empty."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))
