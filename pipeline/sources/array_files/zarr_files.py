"""Hierarchies of Zarr, v2 and v3, on disk and on object storage."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.sync import sync
from zarr.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    NodeTypeValidationError,
)
from zarr.storage import StorePath

from pipeline.errors import SourceError
from pipeline.redact import redacted
from pipeline.sources.array_files.array_file import ArrayInfo, Index, groups_above, joined_path
from pipeline.sources.array_files.remote_files import listed_objects, object_facts, zarr_store
from pipeline.sources.array_files.shard_index import ShardIndex
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.options import is_remote, mask_urls

NO_ARRAY = (FileNotFoundError, ArrayNotFoundError, ContainsGroupError, NodeTypeValidationError)
NO_GROUP = (FileNotFoundError, NotADirectoryError, GroupNotFoundError, ContainsArrayError, NodeTypeValidationError)
"""What zarr raises where there is no array, or no group."""
NODES = ("zarr.json", ".zarray", ".zgroup")
"""Files by which a folder is an array or a group."""
NODE_METADATA = (*NODES, ".zattrs")
MAX_DEPTH = 3
"""Groups in groups whose arrays are listed."""
MAX_LISTED = 200
"""Arrays that are looked at for a list."""


class ZarrArray:
    """One array of a hierarchy."""

    def __init__(self, array: zarr.Array[Any], name: str) -> None:
        self._array = array
        dimensions = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
        names = [str(dimension or "") for dimension in dimensions] if isinstance(dimensions, Sequence) else []
        fill = array.fill_value
        self.info = ArrayInfo(
            name=name,
            shape=tuple(array.shape),
            dtype=np.dtype(array.dtype),
            dimensions=tuple(names) if len(names) == array.ndim else ("",) * array.ndim,
            attributes=dict(array.attrs),
            chunks=tuple(array.chunks),
            fill=np.zeros((), array.dtype) if fill is None and np.dtype(array.dtype).kind in "biuf" else fill,
        )
        self._index = ShardIndex.of(array)
        self._exists = functools.lru_cache(maxsize=2**16)(self._ask)

    def read(self, index: Index) -> npt.NDArray[Any]:
        """The numbers of a part, with all dimensions."""
        return np.asarray(self._array.get_orthogonal_selection(tuple(index)))  # type: ignore[arg-type]  # lists will do

    def is_written(self, chunk: tuple[int, ...]) -> bool:
        """Whether a chunk is there; of a shard by its index, and whether its shard is where that cannot be read."""
        if self._index is not None:
            return self._index.is_written(chunk)
        files = self._array.shards or self._array.chunks
        return self._exists(
            tuple(k * size // file for k, size, file in zip(chunk, self.info.chunks, files, strict=True))
        )

    def _ask(self, file: tuple[int, ...]) -> bool:
        key = self._array.metadata.encode_chunk_key(file)
        return bool(sync((self._array.store_path / key).exists()))


class ZarrFile:
    """A hierarchy of groups and arrays."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._root, self.inner = _split(path)

    def array(self, name: str) -> ZarrArray:
        """An array by its path; raises KeyError where there is none, and SourceError where zarr cannot read it."""
        try:
            array = zarr.open_array(self._at(name), mode="r")
        except NO_ARRAY as error:
            raise KeyError(name) from error
        except (ValueError, TypeError) as error:
            raise SourceError(
                f"{mask_urls(self._path)} is no array that is read here: {str(error).splitlines()[0][:160]}. Write "
                f"{name or 'it'} anew, with numbers and with codecs that zarr-python knows."
            ) from error
        return ZarrArray(array, name)

    def names(self) -> list[str]:
        """Paths of the arrays; nothing where the storage lists none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # files that are no part of the hierarchy are no fault here
                group = zarr.open_group(self._at(self.inner), mode="r")
                members = islice(group.members(max_depth=MAX_DEPTH), MAX_LISTED)
                paths = [path for path, member in members if isinstance(member, zarr.Array)]
        except (*NO_GROUP, OSError, NotImplementedError):
            return []
        return sorted(joined_path(self.inner, path) for path in paths)

    def group_attributes(self, name: str) -> Mapping[str, Any]:
        """Attributes of a group."""
        try:
            return dict(zarr.open_group(self._at(name), mode="r", use_consolidated=False).attrs)
        except NO_GROUP:
            return {}

    def identity(self, names: Sequence[str]) -> dict[str, Any]:
        """Metadata of the arrays and of the groups above, and which chunks there are since when."""
        nodes = sorted({node for name in names for node in (name, *groups_above(name))})
        files = [joined_path(node, file) for node in nodes for file in NODE_METADATA]
        if isinstance(self._root, Path):
            identity = identity_of(self._path, [str(self._root / file) for file in files])
            return {key: value for key, value in identity.items() if key != "size"}
        facts = [f"{file} {etag}" for file in files if (etag := object_facts(self._at(file)))]
        chunks = [fact for name in sorted(set(names)) for fact in listed_objects(self._at(name))]
        return {"path": redacted(self._path), "etag": _digest(facts), **({"chunks": _digest(chunks)} if chunks else {})}

    def _at(self, name: str) -> Any:
        return self._root / name if name else self._root


def is_hierarchy(path: str) -> bool:
    """Whether a folder on disk is a group or an array of Zarr."""
    return any(Path(path, name).is_file() for name in NODES)


def _split(path: str) -> tuple[Path | StorePath, str]:
    """The root of a hierarchy, and the path of a group or an array in it."""
    if is_remote(path):
        head, ending, inner = path.partition(".zarr/")
        return zarr_store(f"{head}.zarr" if ending else path), inner.strip("/")
    folder = root = Path(path)
    while is_hierarchy(str(root.parent)):
        root = root.parent
    return root, "" if root == folder else folder.relative_to(root).as_posix()


def _digest(lines: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
