"""What an ONNX file says of itself, read from its bytes: the few entries that matter, while its tensors are skipped unread.

The file is one message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding): entries of a number, a type
and a value. The numbers below are those of ``onnx.proto``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ModelError

Shape = tuple[int | None, ...]
"""Lengths of a tensor's axes, None where they may vary."""

GRAPH, METADATA = 7, 14
INPUT, OUTPUT = 11, 12
FIXED = {1: 8, 5: 4}
"""Bytes of the values of a fixed length, by type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """An ONNX file without its tensors."""

    metadata: dict[str, str]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


class Entry(NamedTuple):
    """A value: a number, or the bytes from start to end."""

    number: int
    value: int
    start: int
    end: int


def read(path: Path) -> OnnxFile:
    """Read an ONNX file's metadata and the shapes of what goes in and out.

    Raises
    ------
    ModelError
        It is no ONNX file, or a part of one.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            model = list(_entries(data, 0, len(data)))
            graph = [entry for whole in _numbered(model, GRAPH) for entry in _entries(data, whole.start, whole.end)]
            metadata = dict(_pair(data, entry) for entry in _numbered(model, METADATA))
            shapes = [tuple(_shape(data, entry) for entry in _numbered(graph, number)) for number in (INPUT, OUTPUT)]
    except (ValueError, IndexError) as error:
        raise ModelError(f"MODEL is {path}, which is no ONNX file or a part of one ({error}). Write it again, or fetch it again.") from error
    if not graph:
        raise ModelError(f"MODEL is {path}, in which there is no ONNX graph. Give the file with the whole network.")
    return OnnxFile(metadata=metadata, inputs=shapes[0], outputs=shapes[1])


def _entries(data: mmap.mmap, at: int, end: int) -> Iterator[Entry]:
    while at < end:
        key, at = _varint(data, at)
        kind, value, start = key & 7, 0, at
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, start = _varint(data, at)
            at = start + size
        elif kind in FIXED:
            at += FIXED[kind]
        else:
            raise ValueError(f"an entry of type {kind}")
        if at > end:
            raise ValueError("an entry that goes on beyond its end")
        yield Entry(key >> 3, value, start, at)


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number that does not end")


def _numbered(entries: list[Entry], number: int) -> list[Entry]:
    return [entry for entry in entries if entry.number == number]


def _inside(data: mmap.mmap, entry: Entry | None, number: int) -> Entry | None:
    """The first entry of that number within an entry."""
    return next(iter(_numbered(list(_entries(data, entry.start, entry.end)), number)), None) if entry else None


def _pair(data: mmap.mmap, entry: Entry) -> tuple[str, str]:
    key, value = (_inside(data, entry, number) for number in (1, 2))
    return tuple(data[part.start : part.end].decode() if part else "" for part in (key, value))  # type: ignore[return-value]  # two in, two out


def _shape(data: mmap.mmap, entry: Entry) -> Shape:
    """Of an input or output: its type (2), which is a tensor (1), whose shape (2) has axes (1) of a length (1)."""
    found: Entry | None = entry
    for number in (2, 1, 2):
        found = _inside(data, found, number)
    axes = _numbered(list(_entries(data, found.start, found.end)), 1) if found else []
    lengths = (_inside(data, axis, 1) for axis in axes)
    return tuple(length.value if length and length.value > 0 else None for length in lengths)
