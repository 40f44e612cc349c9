"""Which library reads a slide."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pipeline.errors import ExtraError, SourceError
from pipeline.runtime.optional_imports import require
from pipeline.sources.gdal.colours import AS_STORED
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.slide_files.by_openslide import open_by_openslide, vendor_of
from pipeline.sources.slide_files.by_tifffile import TiffSlideFile
from pipeline.sources.slide_files.chosen_planes import ChosenPlanes
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.plane_search import chosen_planes
from pipeline.sources.slide_files.pyramid import SlideFile
from pipeline.sources.slide_files.tiff_axes import TiffAxes, tiff_axes
from pipeline.sources.slide_files.tiff_colours import picture_of_page
from pipeline.sources.slide_files.tiff_levels import tiff_levels

WHOLE_TILES = ("aperio", "generic-tiff")
"""Forms by OpenSlide's names whose tiles lie side by side: other forms place and join them in ways of their own."""
NOTHING_CHOSEN = PlaneChoice()
YCBCR_IN_JPEG_2000 = 33003
"""Aperio's compression whose colours OpenSlide alone brings to red, green and blue."""


def open_slide_file(path: str, choice: PlaneChoice = NOTHING_CHOSEN) -> SlideFile:
    """Open a slide by tifffile where its tiles are pixels as they are stored, else by OpenSlide.

    Parameters
    ----------
    path
        Of a file on a disk.
    choice
        Planes that are read of it, and how numbers are taken.

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
        _check_one_plane(path, choice)
        return open_by_openslide(path, vendor)
    require("imagecodecs", "slides", "source.kind: slide")
    tiff = _open_tiff(path)
    if tiff is None:
        raise SourceError(
            f"source.path is {path}, which is no slide that OpenSlide or tifffile knows. Give SVS, NDPI, MRXS, SCN, "
            f"BIF, Philips' TIFF, DICOM, OME-TIFF or a tiled TIFF; kind: raster reads whatever GDAL opens."
        )
    if vendor is not None and tiff.pages.first.compression == YCBCR_IN_JPEG_2000:
        tiff.close()
        _check_one_plane(path, choice)
        return open_by_openslide(path, vendor)
    try:
        return _by_tifffile(tiff, path, choice)
    except (SourceError, ExtraError):
        tiff.close()
        raise


def open_planes(path: str, choice: PlaneChoice) -> ChosenPlanes:
    """Open planes of a TIFF on a disk that is no slide; as `open_slide_file` otherwise."""
    tiff = _open_tiff(path)
    if tiff is None:
        raise SourceError(
            f"source.select chooses among the planes of {mask_urls(path)}, which is no TIFF. Give a TIFF, an OME-TIFF "
            f"or a stack of ImageJ; kind: zarr selects in Zarr, NetCDF, HDF5 and NumPy."
        )
    try:
        return chosen_planes(tiff, path, choice)
    except (SourceError, ExtraError):
        tiff.close()
        raise


def axes_of_tiff(path: str) -> TiffAxes | None:
    """The planes of the first image of a TIFF; None where it is none, or where they cannot be told."""
    tiff = _open_tiff(path)
    if tiff is None:
        return None
    with tiff:
        try:
            return tiff_axes(tiff, path, {})
        except SourceError:
            return None


def _by_tifffile(tiff: Any, path: str, choice: PlaneChoice) -> SlideFile:
    if choice.chooses:
        return chosen_planes(tiff, path, choice)
    levels = tiff_levels(tiff, path)
    page = levels.pages[0][0].keyframe
    picture = AS_STORED if choice.as_stored else picture_of_page(page, path)
    return TiffSlideFile(path=path, handle=tiff, levels=levels, picture=picture)


def _check_one_plane(path: str, choice: PlaneChoice) -> None:
    """Raise SourceError where planes are chosen of a slide that OpenSlide reads."""
    if choice.chooses:
        raise SourceError(
            f"source.select chooses among planes, but {path} is read by OpenSlide, which reads one plane of a slide. "
            f"Leave source.select and source.axes out, or convert it to OME-TIFF with bfconvert."
        )


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

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a tag that is odd says nothing of the pixels
    try:
        return tifffile.TiffFile(path, _multifile=False)
    except (tifffile.TiffFileError, ValueError, OSError):
        return None
