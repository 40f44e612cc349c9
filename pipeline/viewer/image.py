"""The image beneath a mask: the source where it may be opened, else the picture that the store keeps of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.store.picture import percentile_range
from pipeline.store.picture_spec import COLOUR_RANGE
from pipeline.viewer.paint import Bytes, empty_png, image_png
from pipeline.viewer.tile_grid import MapTile

_COLORS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """Some bands of a part of an image."""

    planes: npt.NDArray[Any]
    """(bands, rows, cols) raw numbers."""
    valid: npt.NDArray[np.bool_]
    """(rows, cols)."""


class ImageReader(Protocol):
    """Where an image comes from. Safe from many threads."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order in which they are asked for."""

    def read(self, tile: MapTile, bands: Sequence[int]) -> ImagePart | None:
        """Bands of a tile, counted from 0; None where it lacks one, or would read more than `MAX_READ_BYTES`."""

    def sample(self, band: int) -> ImagePart | None:
        """Pixels of a band from all over the image, within `MAX_READ_BYTES`; None where it lacks the band."""


class Image:
    """Tiles of an image by the first of its readers that can give them. Safe from many threads.

    A band is stretched in the same way wherever its pixels come from, and not at all where colours are shown as they
    are seen.
    """

    def __init__(
        self, readers: Sequence[ImageReader], exact: bool = False, why: str = "", as_seen: bool = False
    ) -> None:
        self.readers = tuple(readers)
        self.exact = exact
        """Whether the first reader has every pixel."""
        self.as_seen = as_seen
        """Whether numbers are colours as a microscope shows them."""
        self.why = why
        """Why the source is not among the readers; empty where it is."""
        self._ranges: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands; empty where there is no image."""
        return self.readers[0].bands if self.readers else ()

    @property
    def default_bands(self) -> list[int]:
        """Bands to begin with: red, green and blue by their names, else the first three, else the first."""
        names = [name.casefold() for name in self.bands]
        if set(_COLORS) <= set(names):
            return [names.index(color) for color in _COLORS]
        return [0, 1, 2] if len(names) >= len(_COLORS) else [0][: len(names)]

    def png(self, tile: MapTile, bands: Sequence[int]) -> bytes:
        """A tile of one band as grey, or of three as red, green and blue."""
        for reader in self.readers:
            part = reader.read(tile, bands)
            if part is not None:
                planes = [self._stretched(plane, band) for plane, band in zip(part.planes, bands, strict=True)]
                return image_png(planes, part.valid)
        return empty_png()

    def range_of(self, band: int) -> tuple[float, float]:
        """The numbers that are black and brightest, found once per band."""
        if self.as_seen:
            return COLOUR_RANGE
        with self._lock:
            if band not in self._ranges:
                self._ranges[band] = percentile_range(self._sample(band))
            return self._ranges[band]

    def _sample(self, band: int) -> npt.NDArray[Any]:
        """Valid pixels of a band, by the reader that is quickest to give them: the last."""
        for reader in reversed(self.readers):
            part = reader.sample(band)
            if part is not None:
                return np.asarray(part.planes[0][part.valid])
        return np.zeros(0)

    def _stretched(self, plane: npt.NDArray[Any], band: int) -> Bytes:
        low, high = self.range_of(band)
        scale = 255 / (high - low) if high > low else 0.0
        shares = np.nan_to_num((plane.astype(np.float32) - low) * scale + (0 if scale else 128))
        return np.asarray(shares.clip(0, 255)).round().astype(np.uint8)
