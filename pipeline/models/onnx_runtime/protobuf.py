"""Messages of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), read where they lie.

Nothing is copied that is not asked for.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

FIXED_SIZES = {1: 8, 5: 4}
"""Bytes of the values of a fixed length, by type."""


class Entry(NamedTuple):
    """A value: a number, or the bytes from start to end."""

    number: int
    kind: int
    value: int
    start: int
    end: int


class Message:
    """The entries between two places of a file.

    Raises ValueError and IndexError where the bytes are no such entries, once they are asked for.
    """

    def __init__(self, data: mmap.mmap | bytes, start: int, end: int) -> None:
        self._data, self._start, self._end = data, start, end

    @cached_property
    def entries(self) -> list[Entry]:
        """All of them, in order."""
        return list(self._entries())

    def all(self, number: int) -> list[Message]:
        """The messages of that number."""
        return [Message(self._data, entry.start, entry.end) for entry in self.entries if entry.number == number]

    def first(self, number: int) -> Message:
        """The first message of that number, or an empty one."""
        return next(iter(self.all(number)), Message(b"", 0, 0))

    def varint(self, number: int) -> int:
        """The last number of that number; 0 where there is none."""
        return next((_signed(entry.value) for entry in reversed(self.entries) if entry.number == number), 0)

    def varints(self, number: int, max_bytes: int | None = None) -> list[int]:
        """All numbers of that number, packed in one piece or not; of pieces longer than ``max_bytes`` bytes none."""
        numbers = []
        for entry in self.entries:
            if entry.number == number and entry.kind == 0:
                numbers.append(_signed(entry.value))
            elif entry.number == number and (max_bytes is None or entry.end - entry.start <= max_bytes):
                numbers += self._packed(entry)
        return numbers

    def string(self, number: int) -> str:
        """The first text of that number, or none."""
        return next(iter(self.strings(number)), "")

    def strings(self, number: int) -> list[str]:
        """All texts of that number."""
        return [self._data[entry.start : entry.end].decode() for entry in self.entries if entry.number == number]

    def bytes(self, number: int, max_bytes: int) -> bytes:
        """The first bytes of that number, or none where they are more than ``max_bytes``."""
        entry = next((entry for entry in self.entries if entry.number == number), None)
        return self._data[entry.start : entry.end] if entry and entry.end - entry.start <= max_bytes else b""

    def _packed(self, entry: Entry) -> list[int]:
        numbers, at = [], entry.start
        while at < entry.end:
            value, at = _varint(self._data, at)
            numbers.append(_signed(value))
        return numbers

    def _entries(self) -> Iterator[Entry]:
        data, at, end = self._data, self._start, self._end
        while at < end:
            key, at = _varint(data, at)
            kind, value, start = key & 7, 0, at
            if kind == 0:
                value, at = _varint(data, at)
            elif kind == 2:
                size, start = _varint(data, at)
                at = start + size
            elif kind in FIXED_SIZES:
                at += FIXED_SIZES[kind]
            else:
                raise ValueError(f"an entry of type {kind}")
            if at > end:
                raise ValueError("an entry that goes on beyond its end")
            yield Entry(key >> 3, kind, value, start, at)


def _varint(data: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number that does not end")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
