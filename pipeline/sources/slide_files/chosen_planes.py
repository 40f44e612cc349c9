"""Planes of a TIFF that a config chooses: channels that are bands, and planes that become one.

A band is a group of planes, of which there is one unless they are folded::

    z 0 1 2 3          z: 1              z: max
    DAPI   ▯ ▯ ▯ ▯     band 1: [z 1]     band 1: [z 0, z 1, z 2, z 3]
    GFP    ▯ ▯ ▯ ▯     band 2: [z 1]     band 2: [z 0, z 1, z 2, z 3]
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.interfaces import CAUSES
from pipeline.sources.array_files.plane_fold import PlaneFold, fold_bytes
from pipeline.sources.array_files.selection import IMAGE_KEY, Selection, selection_of
from pipeline.sources.gdal.colours import AS_STORED
from pipeline.sources.gdal.pixel_size import PixelSize, ome_pixels, size_of_ome_pixels
from pipeline.sources.slide_files.by_tifffile import TiffSlideFile
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.pyramid import StoredTile
from pipeline.sources.slide_files.tiff_axes import TiffAxes, tiff_axes
from pipeline.sources.slide_files.tiff_colours import picture_of_page, without_entry
from pipeline.sources.slide_files.tiff_levels import TiffLevels, check_stored_pixels
from pipeline.sources.slide_files.tiff_segments import check_codecs
from pipeline.sources.validity.band_causes import CauseCodes, joined, with_unusable
from pipeline.sources.validity.nodata import Nodata, Number, nodata_interval

GDAL_NODATA_TAG = 42113
"""The tag by which GDAL says the nodata of a TIFF."""


@dataclass(frozen=True, kw_only=True)
class ChosenPlanes:
    """The chosen planes of an open TIFF, as a slide."""

    axes: TiffAxes
    selection: Selection
    choice: PlaneChoice
    planes: tuple[tuple[TiffSlideFile, ...], ...]
    """Of each group, its planes, each as a slide of its own."""
    values: tuple[Nodata, ...] = ()
    """Numbers that mean nothing, as they are read."""
    notes: tuple[str, ...] = field(default=())
    """What is read, and what is not."""

    @cached_property
    def bands(self) -> int:
        """Samples of all groups; alpha is one where there is one group alone."""
        return len(self.planes) * self._samples

    @property
    def alpha(self) -> int | None:
        """The sample that is alpha, where there is one group; of several it masks pixels and is no band."""
        return self._first.alpha if len(self.planes) == 1 else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self._first.dtype

    @property
    def rgb(self) -> bool:
        """Whether the first three bands are red, green and blue."""
        return len(self.planes) == 1 and self._first.rgb

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """(rows, cols) of each level, px, the finest first."""
        return self._first.shapes

    @property
    def files(self) -> Sequence[str]:
        """The one file."""
        return self._first.files

    @property
    def changes(self) -> Sequence[str]:
        """What is read of which planes, for the identity, and what is done about their numbers."""
        read = [f"image {self.axes.image}, {self._index_text(band)}" for band in self.selection.bands]
        return [*read, *self._first.changes]

    @property
    def stated_size(self) -> PixelSize | None:
        """What the file says of a pixel of level 0 of this image."""
        if self.axes.image and self._first.handle.is_ome:
            return size_of_ome_pixels(ome_pixels(self._first.handle.ome_metadata, self.axes.image))
        return self._first.stated_size

    @property
    def header_bytes(self) -> int:
        """The places of all tiles."""
        return sum(plane.header_bytes for group in self.planes for plane in group)

    @property
    def folding_bytes(self) -> int:
        """Bytes of a pixel of a group while its planes become one, and of one more plane."""
        if self.selection.folded is None:
            return 0
        return self._samples * (fold_bytes(self.dtype) + self.dtype.itemsize)

    def tile_shape(self, level: int) -> tuple[int, int]:
        """(rows, cols) of a tile, or of a strip, px."""
        return self._first.tile_shape(level)

    def is_exact(self, level: int) -> bool:
        """Always: tiles are decoded whole."""
        return True

    def read_tile(self, level: int, row: int, col: int, bands: Sequence[int]) -> StoredTile:
        """Decode a tile of each plane; nodata is invalid, and planes become one. Raises ReadError."""
        place = level, row, col
        stacks, codes = list[npt.NDArray[Any]](), list[CauseCodes | None]()
        for group, members in groupby(bands, key=lambda band: band // self._samples):
            data, marks = self._group(place, self.planes[group], [band % self._samples for band in members])
            stacks.append(data)
            codes += marks
        return StoredTile(data=np.concatenate(stacks), causes=joined(codes, self.choice.rule))

    def close(self) -> None:
        """Give the handle back."""
        self._first.close()

    @property
    def _first(self) -> TiffSlideFile:
        return self.planes[0][0]

    @cached_property
    def _samples(self) -> int:
        """Bands of a group."""
        return self._first.bands - (len(self.planes) > 1 and self._first.alpha is not None)

    def _group(
        self, place: tuple[int, int, int], planes: Sequence[TiffSlideFile], samples: list[int]
    ) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        """(samples, rows, cols) of one group, and (rows, cols) codes of each."""
        if self.selection.folded is None:
            return self._plane(place, planes[0], samples)
        fold: PlaneFold | None = None
        for plane in planes:
            data, codes = self._plane(place, plane, samples)
            fold = fold or PlaneFold(self.selection.projection, data.shape, data.dtype, self.choice.rule)
            fold.add(data, codes, (slice(None), slice(None), slice(None)))
        assert fold is not None
        return fold.result()

    def _plane(
        self, place: tuple[int, int, int], plane: TiffSlideFile, samples: list[int]
    ) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        tile = plane.read_tile(*place, samples)
        causes = None if self.choice.nodata is None else tile.causes
        return tile.data, [with_unusable(band, _marked(band, self.values, causes)) for band in tile.data]

    def _index_text(self, band: int) -> str:
        places = zip(self.axes.dimensions[:-2], self.selection.index(band), strict=False)
        return ", ".join(f"{dimension.name} {place}" for dimension, place in places)


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


def _marked(band: npt.NDArray[Any], values: Sequence[Nodata], causes: CauseCodes | None) -> CauseCodes | None:
    """(rows, cols) codes of one band: causes of the tile, and nodata; None where all is valid."""
    for value in values:
        marks = value.marks(band)
        if marks.any():
            codes = np.zeros(band.shape, np.uint8) if causes is None else causes.copy()
            codes[marks & (codes == 0)] = CAUSES.index("nodata")
            causes = codes
    return causes
