"""A gzip file (RFC 1952) whose bytes depend on its contents alone, with a comment that is readable in its header."""

from __future__ import annotations

import io
import struct
import zlib
from typing import IO, Any

_HEADER = b"\x1f\x8b\x08\x10\0\0\0\0\0\xff"
"""Deflate, a comment, no time, no level, no system."""
LEVEL = 6


class GzipWriter(io.RawIOBase):
    """Compresses what is written into a file, which stays open."""

    def __init__(self, file: IO[bytes], comment: str) -> None:
        super().__init__()
        self._file, self._crc, self._size = file, 0, 0
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        file.write(_HEADER + comment.encode("latin-1") + b"\0")

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Compress some bytes."""
        self._crc, self._size = zlib.crc32(data, self._crc), self._size + len(data)
        self._file.write(self._deflate.compress(data))
        return len(data)

    def close(self) -> None:
        """End the file: checksum and size."""
        if not self.closed:
            self._file.write(self._deflate.flush() + struct.pack("<II", self._crc, self._size % 2**32))
        super().close()
