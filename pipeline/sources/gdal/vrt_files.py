"""Rasters that are put together from files, such as a VRT.

GDAL keeps many of these open, each with buffers of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.enums import Interleaving
from rasterio.env import get_gdal_config
from rasterio.errors import RasterioError

from pipeline.runtime import resources
from pipeline.runtime.memory_constants import DATASET_COPIES
from pipeline.sources.gdal.file_identity import MADE_BY_READERS
from pipeline.sources.gdal.options import Settings

POOL_BYTES = 64 * 2**20
"""Bytes that open files may hold, while there are enough of them."""
MAX_OPEN_FILES = 100
"""Files that GDAL keeps open when nobody says otherwise."""
MAX_PARTS_READ = 8
"""Files that stand for all."""
_POOL = "GDAL_MAX_DATASET_POOL_SIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """How many files are kept open, and what they hold."""

    files: int = 0
    """Kept open at most by the process."""
    bytes_per_file: int = 0
    """Bytes that one holds."""

    @property
    def size(self) -> int:
        """Bytes that all hold."""
        return self.files * self.bytes_per_file

    @property
    def settings(self) -> Settings:
        """What GDAL is told.

        It makes its pool when the first mosaic of the process is opened and keeps it while any is.

        Blocks are read by threads already, so that threads inside a read would only hold more.
        """
        if not self.files:
            return ()
        single_thread = (("VRT_NUM_THREADS", "1"),) if get_gdal_config("GDAL_NUM_THREADS") is None else ()
        return ((_POOL, str(self.files)), *single_thread)


def parts_of(path: str, files: list[str]) -> list[str]:
    """Files that a raster is put together from, out of all that GDAL names for it."""
    vsi = {path, path.replace("https://", "/vsicurl/https://"), path.replace("http://", "/vsicurl/http://")}
    return [name for name in files if name not in vsi and not name.endswith((*MADE_BY_READERS, ".msk"))]


def mosaic_of(parts: list[str]) -> Mosaic:
    """What is kept open of a raster's parts.

    As many files as `POOL_BYTES` holds, but never fewer than readers need: each reads a window that touches up to four
    files, some inside others, and a file that was closed is opened and its block decoded again.

    Parameters
    ----------
    parts
        Files, some of which need be no rasters.
    """
    bytes_per_file = max((_buffer_bytes(name) for name in parts[:: max(len(parts) // MAX_PARTS_READ, 1)]), default=0)
    if not bytes_per_file:
        return Mosaic()
    pool_size = get_gdal_config(_POOL)
    return Mosaic(
        files=int(pool_size)
        if pool_size is not None
        else min(max(POOL_BYTES // bytes_per_file, 16 + 2 * resources.cores()), MAX_OPEN_FILES),
        bytes_per_file=bytes_per_file,
    )


def _buffer_bytes(name: str) -> int:
    """Bytes that an open file holds; 0 for what is no raster."""
    try:
        with rasterio.open(name) as part:
            rows, cols = part.block_shapes[0]
            bands = part.count if part.interleaving is Interleaving.pixel else 1
            return int(DATASET_COPIES * rows * cols * bands * max(np.dtype(dtype).itemsize for dtype in part.dtypes))
    except (RasterioError, OSError, TypeError, IndexError):
        return 0
