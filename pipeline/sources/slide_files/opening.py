"""Which library reads a slide."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError
from pipeline.runtime.optional_imports import require
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.slide_files.by_openslide import open_by_openslide, vendor_of
from pipeline.sources.slide_files.by_tifffile import TiffSlideFile
from pipeline.sources.slide_files.pyramid import SlideFile
from pipeline.sources.slide_files.tiff_levels import tiff_levels

WHOLE_TILES = ("aperio", "generic-tiff")
"""Forms by OpenSlide's names whose tiles lie side by side: other forms place and join them in ways of their own."""
YCBCR_IN_JPEG_2000 = 33003
"""Aperio's compression whose colours OpenSlide alone brings to red, green and blue."""


def open_slide_file(path: str) -> SlideFile:
    """Open a slide by tifffile where its tiles are pixels as they are stored, else by OpenSlide.

    Raises
    ------
    SourceError
        It is missing, no slide, or damaged.
    ExtraError
        A library of the extra ``slides`` is missing.
    """
    _check_path(path)
    vendor = vendor_of(path)
    if vendor is not None and vendor not in WHOLE_TILES:
        return open_by_openslide(path, vendor)
    tiff = _open_tiff(path)
    if tiff is None:
        raise SourceError(
            f"source.path is {path}, which is no slide that OpenSlide or tifffile knows. Give SVS, NDPI, MRXS, SCN, "
            f"BIF, Philips' TIFF, DICOM, OME-TIFF or a tiled TIFF; kind: raster reads whatever GDAL opens."
        )
    if vendor is not None and tiff.pages.first.compression == YCBCR_IN_JPEG_2000:
        tiff.close()
        return open_by_openslide(path, vendor)
    try:
        return TiffSlideFile(path=path, handle=tiff, levels=tiff_levels(tiff, path))
    except SourceError:
        tiff.close()
        raise


def _check_path(path: str) -> None:
    """Raise SourceError where there is no file on a disk."""
    if "://" in path or path.startswith("/vsi"):
        raise SourceError(
            f"source.path is {mask_urls(path)}, and kind: slide reads files on a disk, since OpenSlide does. Copy the "
            f"slide to a disk, or leave source.kind out: kind: raster reads tiled TIFFs over the net."
        )
    if not Path(path).is_file():
        problem = "is a folder" if Path(path).is_dir() else "does not exist"
        raise SourceError(
            f"source.path is {path}, which {problem}. Give the file of a slide; of DICOM any file of its folder, of "
            f"MRXS the file beside its folder."
        )


def _open_tiff(path: str) -> Any:
    """A ``tifffile.TiffFile``, or None where it is no TIFF."""
    import tifffile

    require("imagecodecs", "slides", "source.kind: slide")
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a tag that is odd says nothing of the pixels
    try:
        return tifffile.TiffFile(path, _multifile=False)
    except (tifffile.TiffFileError, ValueError, OSError):
        return None
