"""Planes of a TIFF that a config chooses: channels that are bands, and planes that become one.

A band is a group of planes, of which there is one unless they are folded::

    z 0 1 2 3          z: 1              z: max
    DAPI   ▯ ▯ ▯ ▯     band 1: [z 1]     band 1: [z 0, z 1, z 2, z 3]
    GFP    ▯ ▯ ▯ ▯     band 2: [z 1]     band 2: [z 0, z 1, z 2, z 3]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.interfaces import CAUSES
from pipeline.sources.array_files.plane_fold import PlaneFold, fold_bytes
from pipeline.sources.array_files.selection import Selection
from pipeline.sources.gdal.pixel_size import PixelSize, ome_pixels, size_of_ome_pixels
from pipeline.sources.slide_files.by_tifffile import TiffSlideFile
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.pyramid import StoredTile
from pipeline.sources.slide_files.tiff_axes import TiffAxes
from pipeline.sources.validity.band_causes import CauseCodes, joined, with_unusable
from pipeline.sources.validity.nodata import Nodata


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
    notes: tuple[str, ...] = ()
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


def _marked(band: npt.NDArray[Any], values: Sequence[Nodata], causes: CauseCodes | None) -> CauseCodes | None:
    """(rows, cols) codes of one band: causes of the tile, and nodata; None where all is valid."""
    for value in values:
        marks = value.marks(band)
        if marks.any():
            codes = np.zeros(band.shape, np.uint8) if causes is None else causes.copy()
            codes[marks & (codes == 0)] = CAUSES.index("nodata")
            causes = codes
    return causes
