"""HDF5 files, and those of NetCDF 4, which are HDF5 with dimension scales. h5py comes with the extra ``arrays``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.runtime.optional_imports import require
from pipeline.sources.array_files.array_file import ArrayInfo, Index
from pipeline.sources.array_files.remote_files import RemoteFile, plain_url
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.options import is_remote, mask_urls

OWN_ATTRIBUTES = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS")
"""What HDF5 and NetCDF note of dimension scales."""
MAX_LISTED_ARRAYS = 200
"""Datasets that are looked at for a list."""


class Hdf5Array:
    """One dataset."""

    def __init__(self, dataset: Any, name: str) -> None:
        self._dataset = dataset
        chunks = tuple(dataset.chunks) if dataset.chunks else (*(1,) * (dataset.ndim - 1), *dataset.shape[-1:])
        self._chunked, self._empty = dataset.chunks is not None, _is_empty(dataset)
        self.info = ArrayInfo(
            name=name,
            shape=tuple(dataset.shape),
            dtype=np.dtype(dataset.dtype),
            dimensions=tuple(map(_dimension_name, dataset.dims)),
            attributes=_plain_attributes(dataset),
            chunks=chunks,
            fill=dataset.fillvalue if self._chunked or self._empty else None,
        )

    def read(self, index: Index) -> npt.NDArray[Any]:
        """The numbers of a part, with all dimensions; h5py takes places in order alone."""
        ordered, orders = list[Any](), dict[int, npt.NDArray[np.intp]]()
        for axis, part in enumerate(index):
            if isinstance(part, list):
                places, orders[axis] = np.unique(part, return_inverse=True)
                ordered.append(places)
            else:
                ordered.append(part)
        data = np.asarray(self._dataset[tuple(ordered)])
        for axis, order in orders.items():
            data = np.take(data, order, axis)
        return data

    def is_written(self, chunk: tuple[int, ...]) -> bool:
        """Whether a chunk has a place in the file."""
        if not self._chunked:
            return not self._empty
        corner = tuple(place * size for place, size in zip(chunk, self.info.chunks, strict=True))
        return self._dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None


class Hdf5File:
    """A file of groups and datasets."""

    inner = ""

    def __init__(self, path: str) -> None:
        h5py = require("h5py", "arrays", "A file of HDF5 or NetCDF 4")
        self._h5py, self._path = h5py, path
        try:
            self._file = h5py.File(RemoteFile(path) if is_remote(path) else path, "r")
        except OSError as error:
            raise SourceError(
                f"source.path is {mask_urls(path)}, which cannot be read as HDF5 ({str(error)[:120]}). Check the file."
            ) from error

    def array(self, name: str) -> Hdf5Array:
        """A dataset by its path. Raises KeyError."""
        dataset = self._file[name]
        if not isinstance(dataset, self._h5py.Dataset) or dataset.shape is None:
            raise KeyError(name)
        return Hdf5Array(dataset, name)

    def names(self) -> list[str]:
        """Paths of the datasets."""
        names: list[str] = []

        def visit(name: str, node: Any) -> bool | None:
            if isinstance(node, self._h5py.Dataset):
                names.append(name)
            return True if len(names) >= MAX_LISTED_ARRAYS else None

        self._file.visititems(visit)
        return sorted(names)

    def group_attributes(self, name: str) -> Mapping[str, Any]:
        """Attributes of a group."""
        return _plain_attributes(self._file[name or "/"])

    def identity(self, names: Sequence[str]) -> dict[str, Any]:
        """Of the file."""
        return identity_of(plain_url(self._path), [] if is_remote(self._path) else [os.fspath(self._path)])


def _is_empty(dataset: Any) -> bool:
    """Whether nothing was ever written; what lies in other files has no storage of its own."""
    return dataset.id.get_storage_size() == 0 and not dataset.is_virtual and not dataset.external


def _dimension_name(dimension: Any) -> str:
    """The name of the scale of a dimension, or its label."""
    scales = list(dimension.values())
    return str(scales[0].name).rpartition("/")[2] if scales else str(dimension.label)


def _plain_attributes(node: Any) -> dict[str, Any]:
    return dict(_plain_pairs(node))


def _plain_pairs(node: Any) -> Iterator[tuple[str, Any]]:
    for name, value in node.attrs.items():
        if name in OWN_ATTRIBUTES or name.startswith("_Netcdf4"):
            continue
        yield name, _plain(value)


def _plain(value: Any) -> Any:
    """A text, a number, or a list of them."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        values = [_plain(entry) for entry in value.ravel().tolist()]
        return values[0] if len(values) == 1 else values
    return value.item() if isinstance(value, np.generic) else value
