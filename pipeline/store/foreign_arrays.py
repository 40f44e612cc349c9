"""Arrays of a store that may come from a stranger: opened read-only, and only where reading them is harmless."""

from __future__ import annotations

import functools
import math
from typing import Any

import zarr
from zarr.errors import ArrayNotFoundError, ContainsGroupError

from pipeline.errors import StoreError
from pipeline.locations import Place
from pipeline.store.files.objects import zarr_path

MAX_CHUNK_BYTES = 64 * 2**20
"""Of a chunk after decoding: whoever reads a pixel holds a chunk."""
CODECS = ("bytes", "zstd", "blosc", "gzip", "crc32c", "transpose", "sharding_indexed", "zlib", "lz4")
"""Codecs that only decompress: some of those that Zarr knows run what is stored, as pickles do."""


@functools.lru_cache(maxsize=256)
def open_array(store: Place, key: str) -> zarr.Array[Any]:
    """An array of a store, opened once per process.

    Parameters
    ----------
    store
        Where it lies.
    key
        Of the array below it, such as ``0/mask``.

    Raises
    ------
    StoreError
        There is none, or it holds what a viewer does not read: other things than numbers, codecs that are not
        among `CODECS`, chunks of more than `MAX_CHUNK_BYTES`.
    """
    try:
        array = zarr.open_array(zarr_path(store, key), mode="r")
    except (FileNotFoundError, ArrayNotFoundError, ContainsGroupError) as error:
        raise StoreError(f"{store} has no array {key}. Run the job again, or show another layer.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store} is damaged: the metadata of {key} cannot be read ({error}).") from error
    _check(array, store, key)
    return array


def _check(array: zarr.Array[Any], store: Place, key: str) -> None:
    codecs = [name for name in _codec_names(array) if name not in CODECS]
    if array.dtype.kind not in "uif" or codecs:
        raise StoreError(
            f"{key} in {store} is not shown: it holds {array.dtype}, by the codecs {', '.join(codecs) or 'of a run'}. "
            f"Stores of a run hold numbers, by {', '.join(CODECS)}."
        )
    if math.prod(array.chunks) * array.dtype.itemsize > MAX_CHUNK_BYTES:
        raise StoreError(
            f"{key} in {store} is not shown: a chunk of {' × '.join(map(str, array.chunks))} takes more than "
            f"{MAX_CHUNK_BYTES // 2**20} MiB. Make the store with a smaller output.chunk."
        )


def _codec_names(array: zarr.Array[Any]) -> list[str]:
    metadata: dict[str, Any] = dict(array.metadata.to_dict())
    if metadata["zarr_format"] == 2:
        parts = [metadata.get("compressor"), *(metadata.get("filters") or ())]
        return [_id(part) for part in parts if part is not None]
    return _nested_names(metadata["codecs"])


def _id(codec: Any) -> str:
    return str(codec["id"] if isinstance(codec, dict) else codec.codec_id)


def _nested_names(codecs: Any) -> list[str]:
    """Names of codecs, and of those within shards."""
    names: list[str] = []
    for codec in codecs:
        document = codec if isinstance(codec, dict) else codec.to_dict()
        names.append(str(document["name"]))
        inner = document.get("configuration") or {}
        for part in ("codecs", "index_codecs"):
            names += _nested_names(inner.get(part) or ())
    return names
