"""Which chunks of a shard were written, by the index at its end.

Source: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/ (binary shard format)
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import SuffixByteRequest
from zarr.codecs import ShardingCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

EMPTY = 2**64 - 1
"""Offset and length of a chunk that was never written."""
CHECKSUM_BYTES = 4
"""Of CRC32C behind the index."""
INDEX_CODECS = ["BytesCodec", "Crc32cCodec"]


class ShardIndex:
    """The indexes of the shards of an array, each read once."""

    def __init__(self, array: zarr.Array[Any], per_shard: tuple[int, ...]) -> None:
        self._array, self._per_shard = array, per_shard
        self._written = functools.lru_cache(maxsize=1024)(self._read)

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> ShardIndex | None:
        """The indexes of an array; None where it has no shards, or indexes in a form that no writer chooses."""
        codecs = getattr(array.metadata, "codecs", ())
        codec = next(iter(codecs), None) if len(codecs) == 1 else None
        if array.shards is None or not isinstance(codec, ShardingCodec):
            return None
        plain = [type(part).__name__ for part in codec.index_codecs] == INDEX_CODECS
        if not plain or codec.index_location.value != "end":
            return None
        return cls(array, tuple(shard // chunk for shard, chunk in zip(array.shards, array.chunks, strict=True)))

    def is_written(self, chunk: tuple[int, ...]) -> bool:
        """Whether a chunk is there, by its place among the chunks of each dimension."""
        shard = tuple(place // count for place, count in zip(chunk, self._per_shard, strict=True))
        written = self._written(shard)
        if written is None:
            return False
        return bool(written[tuple(place % count for place, count in zip(chunk, self._per_shard, strict=True))])

    def _read(self, shard: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
        """(chunks along each dimension) of a shard, True where written; None where there is no shard."""
        size = 16 * math.prod(self._per_shard)
        place = self._array.store_path / self._array.metadata.encode_chunk_key(shard)
        request = SuffixByteRequest(size + CHECKSUM_BYTES)
        buffer = sync(place.get(default_buffer_prototype(), request))
        if buffer is None:
            return None
        entries = np.frombuffer(buffer.to_bytes()[:size], "<u8").reshape(*self._per_shard, 2)
        return np.asarray((entries != EMPTY).any(-1))
