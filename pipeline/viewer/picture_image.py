"""The image of a store whose source is far, gone or a stranger's: the reduced picture that the store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.store.picture import SourcePicture
from pipeline.viewer.image import ImagePart
from pipeline.viewer.scene import StoreScene
from pipeline.viewer.tile_grid import MapTile

OVERVIEW_PX = 1024
"""Longest side of what is read of a picture at once, px."""


class PictureImage:
    """A picture. Safe from many threads."""

    def __init__(self, picture: SourcePicture, scene: StoreScene, beside_source: bool) -> None:
        self.picture = picture
        self.scene = scene
        self._places = {band: at for at, band in enumerate(picture.spec.bands)} if beside_source else None

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self.picture.names

    def read(self, tile: MapTile, bands: Sequence[int]) -> ImagePart | None:
        """Bands of a tile, numbered as those of the source where it stands beside one; None where it lacks a band."""
        places = self._places_of(bands)
        if places is None:
            return None
        window = tile.window(self.scene.grid)
        planes, valid, side, corner = self._around(tile, window)
        rows, cols = (
            np.minimum(((np.arange(span.start, span.stop) + 0.5) * tile.step).astype(int) // side, length - 1 + first)
            - first
            for span, length, first in zip((window.rows, window.cols), valid.shape, corner, strict=True)
        )
        index = np.ix_(rows, cols)
        return ImagePart(planes=np.stack([planes[place][index] for place in places]), valid=valid[index])

    def sample(self, band: int) -> ImagePart | None:
        """All of a band, reduced; None where it lacks it."""
        places = self._places_of([band])
        if places is None:
            return None
        planes, valid, _ = self._overview
        return ImagePart(planes=planes[places], valid=valid)

    def _places_of(self, bands: Sequence[int]) -> list[int] | None:
        if self._places is None:
            return list(bands)
        places = [self._places.get(band) for band in bands]
        return None if None in places else [place for place in places if place is not None]

    def _around(
        self, tile: MapTile, window: Window
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], int, tuple[int, int]]:
        """What holds a tile: planes, valid pixels, their side in px of the raster, and the first of them."""
        planes, valid, side = self._overview
        if side <= tile.step or side == self.picture.scale:
            return planes, valid, side, (0, 0)
        side = self.picture.scale
        spans = [
            (span.start * tile.step // side, -(-span.stop * tile.step // side)) for span in (window.rows, window.cols)
        ]
        (top, bottom), (left, right) = spans
        part = Window(row=top, col=left, height=bottom - top, width=right - left)
        return *self.picture.read(part.clip(self.picture.height, self.picture.width)), side, (top, left)

    @property
    def _overview(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], int]:
        """All of it, reduced; kept once no run is at work on it any more."""
        return self._whole if self.scene.is_complete else self.picture.overview(OVERVIEW_PX)

    @cached_property
    def _whole(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], int]:
        return self.picture.overview(OVERVIEW_PX)
