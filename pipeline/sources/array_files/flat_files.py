"""Arrays that lie in a file as they lie in memory: those of NumPy, and of NetCDF 3."""

from __future__ import annotations

import io
import math
import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.sources.array_files.array_file import ArrayInfo, Index
from pipeline.sources.array_files.remote_files import file_size, plain_url, read_ranges
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.options import is_remote, mask_urls

HEADER_BYTES = 2**16
"""In which the header of a file of NumPy ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatArray:
    """One array, by where its numbers lie."""

    path: str
    info: ArrayInfo
    offset: int
    """First byte."""
    strides: tuple[int, ...]
    """Bytes from a number to the next, along each dimension."""

    def read(self, index: Index) -> npt.NDArray[Any]:
        """The numbers of a part, with all dimensions; no page of the file stays mapped."""
        if is_remote(self.path):
            return self._fetch(index)
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            array = np.ndarray(self.info.shape, self.info.dtype, mapped, self.offset, self.strides)
            part = np.array(array[tuple(index)])
            del array
        return part

    def is_written(self, chunk: tuple[int, ...]) -> bool:
        """True."""
        return True

    def _fetch(self, index: Index) -> npt.NDArray[Any]:
        """The same of a remote file: runs of bytes that follow each other along the last dimensions."""
        order = sorted(range(len(self.strides)), key=lambda axis: -self.strides[axis])
        places = [_places(index[axis], self.info.shape[axis]) for axis in order]
        run, outer = self.info.dtype.itemsize, len(order)
        while outer and _is_run(places[outer - 1]):
            outer -= 1
            run *= len(places[outer])
            if len(places[outer]) < self.info.shape[order[outer]]:
                break
        start = self.offset + sum(places[k][0] * self.strides[order[k]] for k in range(outer, len(order)))
        starts = [
            start + sum(place * self.strides[axis] for place, axis in zip(combination, order, strict=False))
            for combination in product(*places[:outer])
        ]
        data = b"".join(read_ranges(self.path, starts, [run] * len(starts)))
        part = np.frombuffer(data, self.info.dtype).reshape([len(entry) for entry in places])
        return part.transpose(np.argsort(order))


@dataclass(frozen=True, kw_only=True)
class FlatFile:
    """A file of such arrays."""

    path: str
    arrays: Mapping[str, FlatArray]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inner: str = ""

    def array(self, name: str) -> FlatArray:
        """An array by its name. Raises KeyError."""
        return self.arrays[name]

    def names(self) -> list[str]:
        """Names of the arrays."""
        return sorted(self.arrays)

    def group_attributes(self, name: str) -> Mapping[str, Any]:
        """Those of the file."""
        return self.attributes

    def identity(self, names: Sequence[str]) -> dict[str, Any]:
        """Of the file."""
        return identity_of(plain_url(self.path), [] if is_remote(self.path) else [self.path])


def numpy_file(path: str) -> FlatFile:
    """A file of NumPy's own form, ``.npy``. Raises SourceError."""
    if is_remote(path):
        head = read_ranges(path, [0], [min(HEADER_BYTES, file_size(path))])[0]
    else:
        with open(path, "rb") as file:
            head = file.read(HEADER_BYTES)
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
    except ValueError as error:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which is no array of NumPy ({error}). Write it with numpy.save."
        ) from error
    strides = _strides(shape, dtype.itemsize, fortran)
    info = _flat_info("", shape, dtype, ("",) * len(shape), {})
    array = FlatArray(path=path, info=info, offset=stream.tell(), strides=strides)
    return FlatFile(path=path, arrays={"": array})


def netcdf3_file(path: str) -> FlatFile:
    """A file of the classic form of NetCDF. Raises SourceError."""
    from scipy.io import netcdf_file

    if is_remote(path):
        raise SourceError(
            f"source.path is {mask_urls(path)}, a NetCDF file of the classic form, which is read from disk alone. Copy "
            f"it, or write it as NetCDF 4 with nccopy -k nc4."
        )
    try:
        with netcdf_file(os.fspath(path), mmap=True) as file:
            base = np.frombuffer(file._mm_buf, np.int8).__array_interface__["data"][0]
            arrays = {name: _classic_array(path, name, variable, base) for name, variable in file.variables.items()}
            attributes = _texts(file._attributes)
    except (TypeError, ValueError, OSError) as error:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which cannot be read as NetCDF ({str(error)[:120]}). nccopy -k nc4 "
            f"writes it as NetCDF 4."
        ) from error
    return FlatFile(path=path, arrays=arrays, attributes=attributes)


def _classic_array(path: str, name: str, variable: Any, base: int) -> FlatArray:
    data = variable.data
    offset = data.__array_interface__["data"][0] - base
    info = _flat_info(name, data.shape, data.dtype, variable.dimensions, _texts(variable._attributes))
    return FlatArray(path=path, info=info, offset=offset, strides=data.strides)


def _flat_info(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], dimensions: tuple[str, ...], attributes: Mapping[str, Any]
) -> ArrayInfo:
    """Nothing is compressed, so that a row is what is read at once."""
    chunks = (*(1,) * (len(shape) - 1), *shape[-1:])
    return ArrayInfo(
        name=name, shape=tuple(shape), dtype=dtype, dimensions=tuple(dimensions), attributes=attributes, chunks=chunks
    )


def _texts(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in attributes.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray | np.generic):
        values = np.ravel(value).tolist()
        return values[0] if len(values) == 1 else values
    return value


def _strides(shape: Sequence[int], itemsize: int, fortran: bool) -> tuple[int, ...]:
    counts = [math.prod(shape[:axis] if fortran else shape[axis + 1 :]) for axis in range(len(shape))]
    return tuple(itemsize * count for count in counts)


def _places(part: slice | list[int], length: int) -> list[int]:
    return part if isinstance(part, list) else list(range(length)[part])


def _is_run(places: list[int]) -> bool:
    return places == list(range(places[0], places[0] + len(places)))
