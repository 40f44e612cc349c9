"""Tags of a TIFF directory as bytes: read from a small file, written into a large one (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
LONG_KIND, LONG8_KIND = 4, 16


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a directory."""

    code: int
    kind: int
    """Type of its values, by TIFF's number."""
    data: bytes
    """Its values, little-endian."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.data) // _TYPE_BYTES[self.kind]


def long_tag(code: int, *values: int) -> Tag:
    """A tag of unsigned integers of 32 bits."""
    return Tag(code, LONG_KIND, struct.pack(f"<{len(values)}I", *values))


def array_tag(code: int, values: npt.NDArray[np.uint64], kind: int) -> Tag:
    """A tag of many unsigned integers, of 32 or 64 bits."""
    return Tag(code, kind, values.astype("<u8" if kind == LONG8_KIND else "<u4").tobytes())


def read_tags(file: bytes) -> list[Tag]:
    """The tags of the first directory of a classic little-endian TIFF."""
    (start,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, start)
    return [_entry(file, start + 2 + 12 * k) for k in range(count)]


def _entry(file: bytes, place: int) -> Tag:
    code, kind, count = struct.unpack_from("<HHI", file, place)
    size = _TYPE_BYTES[kind] * count
    start = place + 8 if size <= 4 else struct.unpack_from("<I", file, place + 8)[0]
    return Tag(code, kind, file[start : start + size])


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the numbers of a file: those of classic TIFF, or those of BigTIFF."""

    big: bool

    @property
    def offset_kind(self) -> int:
        """Type of a tag that holds offsets."""
        return LONG8_KIND if self.big else LONG_KIND

    def header(self, first: int) -> bytes:
        """The first bytes of a file whose first directory lies at an offset."""
        return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) if self.big else struct.pack("<2sHI", b"II", 42, first)

    def directory_bytes(self, tags: list[Tag]) -> int:
        """Size of a directory with all values of its tags, bytes."""
        inline = 8 if self.big else 4
        values = sum(_even(len(tag.data)) for tag in tags if len(tag.data) > inline)
        return self._entries_bytes(len(tags)) + values

    def directory(self, tags: list[Tag], start: int, following: int) -> bytes:
        """A directory that lies at an offset.

        Parameters
        ----------
        tags
            In any order.
        start
            Offset of the directory, bytes.
        following
            Offset of the next directory; 0 for none.
        """
        number, inline = ("<Q", 8) if self.big else ("<I", 4)
        end = start + self._entries_bytes(len(tags))
        entries, values = [], []
        for tag in sorted(tags, key=lambda tag: tag.code):
            content = tag.data.ljust(inline, b"\0")
            if len(tag.data) > inline:
                values.append(tag.data.ljust(_even(len(tag.data)), b"\0"))
                content, end = struct.pack(number, end), end + len(values[-1])
            entries.append(struct.pack("<HH", tag.code, tag.kind) + struct.pack(number, tag.count) + content)
        head = struct.pack("<Q" if self.big else "<H", len(tags))
        return b"".join([head, *entries, struct.pack(number, following), *values])

    def _entries_bytes(self, count: int) -> int:
        return 8 + 20 * count + 8 if self.big else 2 + 12 * count + 4


def _even(size: int) -> int:
    return size + size % 2
