"""What to do with a file that GDAL does not open, by its name and by GDAL's words."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ANY_RASTER = "Give anything GDAL opens: GeoTIFF, COG, VRT, JPEG 2000, PNG, https://…, /vsis3/…."
JPEG_2000 = ("33003", "33005", "34712", "JP2000")
"""How GDAL names this compression of a TIFF: by Aperio's two numbers, and by its own."""
MICROSCOPES = (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".lsm", ".zvi", ".dv", ".ims")
SLIDES = (".mrxs", ".ndpi", ".scn", ".bif", ".svslide", ".svs", ".vms")
ARRAY_FILES = (".npy", ".npz", ".mat", ".pkl", ".pt", ".pth", ".onnx", ".csv", ".parquet")
RASTERS = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".nc")
"""What is looked for in a folder."""


def remedy(path: str, message: str) -> str:
    """What to do, in one sentence.

    Parameters
    ----------
    path
        That is given.
    message
        What GDAL says of it.
    """
    place, ending = Path(path), Path(path).suffix.lower()
    if place.is_dir():
        return _folder(place)
    codec = re.search(r"missing codec (?:of code )?(\w+)", message)
    if codec and codec[1] in JPEG_2000:
        return f"Its pixels are compressed by JPEG 2000, which this GDAL does not decode in a TIFF; convert it once with {_vips(place)}."
    if codec:
        return f"Its pixels are compressed by {codec[1]}, which this GDAL does not decode; write it again with DEFLATE, LZW, ZSTD or JPEG where it can be read."
    if ending in SLIDES:
        return f"Slides that only OpenSlide reads are converted once with {_vips(place)}."
    if ending in MICROSCOPES:
        return f"Files of microscopes are converted once with bfconvert -tilex 512 -tiley 512 {_pair(place, '.ome.tif')} (Bio-Formats)."
    if ending in ARRAY_FILES:
        return "It is no raster: write its pixels as a GeoTIFF, of (bands, rows, cols), with rasterio or tifffile."
    return ANY_RASTER


def _vips(place: Path) -> str:
    return f"vips tiffsave {_pair(place, '.jpeg.tif')} --tile --pyramid --bigtiff --compression jpeg (libvips with OpenSlide)"


def _pair(place: Path, ending: str) -> str:
    """A file and what is made of it, as a shell takes them."""
    return shlex.join([str(place), str(place.with_suffix(ending))])


def _folder(place: Path) -> str:
    inside = sorted(file for file in place.rglob("*") if file.suffix.lower() in RASTERS and file.is_file())[:5]
    if not inside:
        return "It is a folder without a raster in it: give a file."
    return f"It is a folder: give one of the files in it, such as {', '.join(map(str, inside))}; gdalbuildvrt -separate makes one raster of several bands."
