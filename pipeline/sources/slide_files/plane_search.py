"""Finding the planes of a TIFF that a config asks for."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.array_files.selection import IMAGE_KEY, Selection, selection_of
from pipeline.sources.gdal.colours import AS_STORED
from pipeline.sources.slide_files.by_tifffile import TiffSlideFile
from pipeline.sources.slide_files.chosen_planes import ChosenPlanes
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.tiff_axes import TiffAxes, tiff_axes
from pipeline.sources.slide_files.tiff_colours import picture_of_page, without_entry
from pipeline.sources.slide_files.tiff_levels import TiffLevels, check_stored_pixels
from pipeline.sources.slide_files.tiff_segments import check_codecs
from pipeline.sources.validity.nodata import Nodata, Number, nodata_interval

GDAL_NODATA_TAG = 42113
"""The tag by which GDAL says the nodata of a TIFF."""


def chosen_planes(file: Any, path: str, choice: PlaneChoice) -> ChosenPlanes:
    """The planes of an open TIFF that a config asks for.

    Parameters
    ----------
    file
        A ``tifffile.TiffFile``.
    path
        Of it.
    choice
        What the config says.

    Raises
    ------
    SourceError
        There is no such plane, a dimension is left open, or the pixels are none that are read.
    ExtraError
        The library that decodes them is missing.
    """
    select = choice.select or {}
    axes = tiff_axes(file, path, select, choice.axes)
    selection = selection_of(axes.dimensions, {key: value for key, value in select.items() if key != IMAGE_KEY}, None)
    groups = [_places(axes, selection, band) for band in selection.bands]
    page = axes.levels[0][groups[0][0]]
    check_stored_pixels(page, path)
    check_codecs(page, "source.select of a compressed TIFF")
    picture = AS_STORED if choice.as_stored else picture_of_page(page.keyframe, path)
    if picture.table and selection.folded is not None:
        raise SourceError(
            f"source.select makes one plane of several of {path}, whose numbers are those of a palette and no "
            f"brightness. Select one of them, or give source.bands: [1], which takes the numbers as they are."
        )
    number = _nodata_number(page.keyframe, choice)
    if picture.table and number is not None:
        picture = without_entry(picture, number)
    lock = threading.Lock()

    def slide(place: int) -> TiffSlideFile:
        levels = TiffLevels(pages=tuple((planes[place],) for planes in axes.levels))
        return TiffSlideFile(path=path, handle=file, levels=levels, picture=picture, lock=lock)

    notes = (*axes.notes, *selection.notes, *([picture.note] if picture.note else []))
    return ChosenPlanes(
        axes=axes,
        selection=selection,
        choice=choice,
        planes=tuple(tuple(slide(place) for place in group) for group in groups),
        values=() if picture.table else tuple(_nodata(number, picture.white, np.dtype(page.keyframe.dtype))),
        notes=notes,
    )


def _places(axes: TiffAxes, selection: Selection, band: int) -> list[int]:
    """Places among all planes of those of a band."""
    shape = [dimension.length for dimension in axes.dimensions[:-2]]
    index = list(selection.places[:-2])
    if selection.band_axis is not None:
        index[selection.band_axis] = band
    places = []
    for plane in range(selection.planes):
        if selection.folded is not None:
            index[selection.folded] = plane
        places.append(int(np.ravel_multi_index(index, shape)) if shape else 0)
    return places


def _nodata_number(page: Any, choice: PlaneChoice) -> Number | None:
    """The number that means nothing: that of the config, else of the file."""
    if choice.nodata != "auto":
        return choice.nodata
    tag = page.tags.get(GDAL_NODATA_TAG)
    try:
        number = None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None
    return int(number) if number is not None and number.is_integer() else number


def _nodata(number: Number | None, white: int, dtype: np.dtype[Any]) -> list[Nodata]:
    """It among the numbers as they are read, which are inverted where 0 is white."""
    interval = None if number is None else nodata_interval(white - number if white else number, dtype)
    return [] if interval is None else [interval]
