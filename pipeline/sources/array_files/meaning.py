"""What the numbers of an array stand for: nodata, scale and offset, and signs."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.sources.array_files.array_file import ArrayInfo
from pipeline.sources.validity.nodata import ZARR_NODATA_KEYS, Number

SCALE_KEYS = (("scale_factor", "add_offset"), ("scale", "offset"))
"""Attributes by which numbers are scaled: those of CF, and those of a store of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the numbers of one array stand for."""

    dtype: np.dtype[Any]
    """In which they are read."""
    nodata: tuple[Number, ...] = ()
    """By its attributes, in that dtype."""
    scales: tuple[float, ...] = (1.0,)
    """One for all bands, or one for each place along their dimension."""
    offsets: tuple[float, ...] = (0.0,)

    def convert(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The numbers in the dtype in which they are read."""
        if raw.dtype.kind == "i" and self.dtype.kind == "u":
            return raw.astype(raw.dtype.newbyteorder("="), copy=False).view(self.dtype)
        return raw.astype(self.dtype, copy=False)

    def factors(self, place: int) -> tuple[np.float32, np.float32]:
        """Scale and offset of a band, by its place along its dimension."""
        return tuple(np.float32(values[place if len(values) > 1 else 0]) for values in (self.scales, self.offsets))  # type: ignore[return-value]


def meaning_of(info: ArrayInfo, ours: bool) -> Meaning:
    """What the attributes of an array say of its numbers.

    Parameters
    ----------
    info
        Of the array.
    ours
        Whether it is a layer of a store of ours, which has its own words for scale and offset.

    Raises
    ------
    SourceError
        It holds no numbers that a network takes.
    """
    dtype = _dtype(info)
    nodata = tuple(
        number for key in ZARR_NODATA_KEYS if key in info.attributes for number in _numbers(info.attributes[key], info)
    )
    if dtype.kind == "u" and info.dtype.kind == "i":
        nodata = tuple(number % 2 ** (8 * dtype.itemsize) if number < 0 else number for number in nodata)
    scales, offsets = _factors(info.attributes, SCALE_KEYS if ours else SCALE_KEYS[:1])
    return Meaning(dtype=dtype, nodata=nodata, scales=scales, offsets=offsets)


def _dtype(info: ArrayInfo) -> np.dtype[Any]:
    """The dtype in which numbers are read."""
    kind, size = info.dtype.kind, info.dtype.itemsize
    if kind not in "biuf":
        raise SourceError(
            f"The array {info.name} holds {info.dtype}, which no network takes. Name an array of numbers in "
            f"source.variable."
        )
    if kind == "b":
        return np.dtype("uint8")
    if kind == "f":
        return np.dtype("float32" if size < 4 else f"f{min(size, 8)}")
    unsigned = str(info.attributes.get("_Unsigned", "")).lower()
    return np.dtype(f"{'u' if unsigned == 'true' else 'i' if unsigned == 'false' else kind}{size}")


def _factors(
    attributes: Mapping[str, Any], keys: tuple[tuple[str, str], ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for scale, offset in keys:
        if scale in attributes or offset in attributes:
            scales, offsets = attributes.get(scale, 1.0), attributes.get(offset, 0.0)
            return tuple(np.ravel(scales).astype(float).tolist()), tuple(np.ravel(offsets).astype(float).tolist())
    return (1.0,), (0.0,)


def _numbers(value: Any, info: ArrayInfo) -> list[Number]:
    """Numbers of an attribute, a list of them, or a text of one; whatever is none is left out."""
    values = value if isinstance(value, list) else [value]
    numbers = [_number(entry, info.dtype) for entry in values]
    return [number for number in numbers if number is not None]


def _number(value: Any, dtype: np.dtype[Any]) -> Number | None:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    try:
        return float(value)
    except ValueError:
        return _encoded(value) if dtype.kind == "f" else None


def _encoded(text: str) -> float | None:
    """A float as xarray writes it into Zarr v3: its bytes in Base64."""
    try:
        data = base64.standard_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return float(struct.unpack("<d", data)[0]) if len(data) == 8 else None
