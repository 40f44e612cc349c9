"""Tags of a TIFF that GDAL keeps to itself."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL.TiffImagePlugin import ImageFileDirectory_v2
from rasterio.io import DatasetReader

EXTRA_SAMPLES = 338
ASSOCIATED = 1
"""Of TIFF's ExtraSamples: an alpha by which the colours are multiplied (TIFF 6.0, page 31)."""


def multiplied(dataset: DatasetReader) -> bool:
    """Whether the alpha of a local TIFF is associated: its colours are multiplied by it. False where nobody can say."""
    offset = dataset.get_tag_item("IFD_OFFSET", "TIFF", bidx=1) if dataset.driver == "GTiff" else None
    file = next((Path(name) for name in dataset.files if Path(name).is_file()), None)
    if offset is None or file is None:
        return False
    try:
        return ASSOCIATED in _directory(file, int(offset)).get(EXTRA_SAMPLES, ())
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):  # what Pillow says of a TIFF that it does not know
        return False


def _directory(file: Path, offset: int) -> ImageFileDirectory_v2:
    with file.open("rb") as stream:
        header = stream.read(8)
        directory = ImageFileDirectory_v2(header + stream.read(8) if header[2:3] == b"\x2b" or header[3:4] == b"\x2b" else header)
        stream.seek(offset)
        directory.load(stream)
    return directory
