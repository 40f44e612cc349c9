"""Tags of a TIFF that GDAL keeps to itself, read through GDAL.

A file may lie on a disk, on a server or in an archive.
"""

from __future__ import annotations

import html
import struct
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

EXTRA_SAMPLES = 338
ASSOCIATED = 1
"""Of TIFF's ExtraSamples: an alpha by which the colours are multiplied (TIFF 6.0, page 31)."""
MAX_FILES_READ = 8
"""Files of a mosaic that stand for all."""
_SHORT = 3
"""A TIFF's type of two bytes."""
_RAW = """<VRTDataset rasterXSize="{count}" rasterYSize="1">
<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
<SourceFilename relativeToVRT="0">{name}</SourceFilename>
<ImageOffset>{offset}</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>{count}</LineOffset>
</VRTRasterBand></VRTDataset>"""
"""Bytes of a file as a raster of one row: GDAL's way to whatever it can open
(https://gdal.org/drivers/raster/vrt.html)."""


def multiplied(dataset: DatasetReader) -> set[bool | None]:
    """Whether the alpha of a TIFF, or of the TIFFs of a VRT, is associated: colours are multiplied by it.

    None stands for a file that cannot tell.
    """
    if dataset.driver == "GTiff":
        offset = dataset.get_tag_item("IFD_OFFSET", "TIFF", bidx=1)
        return {None if offset is None else _associated(dataset.files[0], int(offset))} if dataset.files else {None}
    if dataset.driver != "VRT":
        return {False}
    parts = [name for name in dataset.files if name.partition("?")[0].lower().endswith((".tif", ".tiff"))]
    return {_associated(name, None) for name in parts[:: max(len(parts) // MAX_FILES_READ, 1)]} or {False}


def _associated(name: str, offset: int | None) -> bool | None:
    """Of the image whose directory begins at an offset, or of the first."""
    try:
        return ASSOCIATED in _extra_samples(name, offset)
    except (OSError, RasterioError, ValueError, struct.error):  # no TIFF, cut short, or where GDAL reads no raw bytes
        return None


def _extra_samples(name: str, offset: int | None) -> tuple[int, ...]:
    """The tag's values; none where it is absent.

    BigTIFF counts in 8 bytes where TIFF counts in 4 (https://libtiff.gitlab.io/libtiff/specification/bigtiff.html).
    """
    header = _bytes(name, 0, 16)
    order, big = {b"II": "<", b"MM": ">"}.get(header[:2], ""), header[2:4] in (b"\x2b\0", b"\0\x2b")
    if not order:
        raise ValueError("no TIFF")
    count, word, first = ("Q", "Q", 8) if big else ("H", "I", 4)
    offset = struct.unpack_from(order + word, header, first)[0] if offset is None else offset
    (entries,) = struct.unpack(order + count, _bytes(name, offset, struct.calcsize(order + count)))
    size, form = struct.calcsize(f"{order}HH{word}{word}"), f"{order}HH{word}"
    directory = _bytes(name, offset + struct.calcsize(order + count), entries * size)
    for start in range(0, len(directory), size):
        tag, kind, values = struct.unpack_from(form, directory, start)
        if tag == EXTRA_SAMPLES and kind == _SHORT:
            inside = directory[start + struct.calcsize(form) : start + size]
            at = struct.unpack(order + word, inside)[0]
            return struct.unpack(
                f"{order}{values}H", inside[: 2 * values] if 2 * values <= len(inside) else _bytes(name, at, 2 * values)
            )
    return ()


def _bytes(name: str, offset: int, count: int) -> bytes:
    if Path(name).is_file():
        with Path(name).open("rb") as file:
            file.seek(offset)
            return file.read(count)
    vrt = _RAW.format(name=html.escape(name), offset=offset, count=count)
    with rasterio.Env(GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE="ALL"), rasterio.open(vrt) as raw:
        return bytes(raw.read(1)[0])
