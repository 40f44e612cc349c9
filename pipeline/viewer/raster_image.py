"""The image of a raster that GDAL opens, at the resolution of a tile: by its overviews where it has some."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from pipeline.errors import ReadError
from pipeline.geometry.window import Window
from pipeline.sources.gdal.opening import last_line
from pipeline.sources.gdal.options import gdal_env, mask_urls
from pipeline.sources.raster import RasterSource
from pipeline.viewer.image import ImagePart
from pipeline.viewer.tile_grid import MAX_READ_BYTES, TILE_PX, MapTile

SAMPLE_PX = 512
"""Longest side of a sample that is read of a whole overview, px."""
SAMPLE_PLACES = 4
"""Places along each axis from which a sample is taken, where no overview is small enough to be read whole."""
FACTOR_TOLERANCE = 1.01
"""An overview may be so much coarser than a tile: its size was rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOverview:
    """What is known of a resolution of a file."""

    index: int | None
    """Of the file's overviews; None for the full resolution."""
    height: int
    width: int
    factor: float
    """Pixels of the full resolution along a side of its own."""
    block: tuple[int, int]
    """(rows, cols), px."""
    itemsize: int
    """Bytes of a pixel of a band."""

    def bytes_read(self, part: Window, bands: int) -> int:
        """What decoding the blocks of a part takes, bytes."""
        rows, cols = part.rows.align(self.block[0]), part.cols.align(self.block[1])
        return rows.size * cols.size * bands * self.itemsize


class RasterImage:
    """A raster. Safe from many threads: each uses a handle that no other uses at the time."""

    def __init__(self, source: RasterSource) -> None:
        self.source = source
        self._idle: dict[int | None, list[DatasetReader]] = {}
        self._lock = threading.Lock()

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Descriptions of the bands where the file has them, else their numbers; channels of a palette's colours."""
        if self.source.picture.table:
            return ("red", "green", "blue", "alpha")[: self.source.bands]
        with self._handle(None) as dataset:
            names = [dataset.descriptions[i - 1] for i in self.source.indexes]
        return tuple(name or f"band {i}" for name, i in zip(names, self.source.indexes, strict=True))

    @cached_property
    def overviews(self) -> tuple[FileOverview, ...]:
        """From the full resolution to the coarsest."""
        with self._handle(None) as dataset:
            count = len(dataset.overviews(self.source.indexes[0]))
        return tuple(self._overview(index) for index in (None, *range(count)))

    def read(self, tile: MapTile, bands: Sequence[int]) -> ImagePart | None:
        """Bands of a tile; None where that would take too much. Raises ReadError where GDAL cannot read it."""
        level = self.source.grid.level(tile.level)
        window = tile.window(self.source.grid)
        shape = (window.height, window.width)
        overview = max(
            (each for each in self.overviews if each.factor <= tile.step * FACTOR_TOLERANCE),
            key=lambda each: each.factor,
        )
        return self._read(overview, _scaled(window, overview, (level.height, level.width)), shape, bands)

    def sample(self, band: int) -> ImagePart:
        """The coarsest overview, or some runs of its pixels where it is too large."""
        coarsest = self.overviews[-1]
        whole = Window(row=0, col=0, height=coarsest.height, width=coarsest.width)
        side = max(whole.height, whole.width)
        rows, cols = (math.ceil(length * min(1, SAMPLE_PX / side)) for length in (whole.height, whole.width))
        part = self._read(coarsest, _exact(whole), (rows, cols), [band])
        return part or self._sample_of_places(coarsest, band)

    def _sample_of_places(self, overview: FileOverview, band: int) -> ImagePart:
        """Runs of pixels from all over an overview, as many as `MAX_READ_BYTES` allows, but one at least."""
        places = [
            Window(row=row, col=col, height=1, width=min(TILE_PX, overview.width))
            for row in np.linspace(0, overview.height - 1, SAMPLE_PLACES**2, dtype=int).tolist()
            for col in [(row * 7919) % max(overview.width - TILE_PX, 1)]
        ]
        budget = MAX_READ_BYTES // max(overview.bytes_read(places[0], self._decoded_bands(1)), 1)
        chosen = places[:: max(-(-len(places) // max(budget, 1)), 1)]
        parts = [self._read(overview, _exact(place), (1, place.width), [band], bounded=False) for place in chosen]
        planes = [part.planes for part in parts if part is not None]
        return ImagePart(
            planes=np.concatenate(planes, axis=2),
            valid=np.concatenate([part.valid for part in parts if part is not None], axis=1),
        )

    def _read(
        self,
        overview: FileOverview,
        part: tuple[float, float, float, float],
        shape: tuple[int, int],
        bands: Sequence[int],
        bounded: bool = True,
    ) -> ImagePart | None:
        """A part of an overview, (row, col, height, width), sampled to (rows, cols) px."""
        row, col, height, width = part
        around = Window(
            row=math.floor(row),
            col=math.floor(col),
            height=math.ceil(row + height) - math.floor(row),
            width=math.ceil(col + width) - math.floor(col),
        ).clip(overview.height, overview.width)
        if bounded and overview.bytes_read(around, self._decoded_bands(len(bands))) > MAX_READ_BYTES:
            return None
        frame = RasterioWindow(col, row, width, height)
        try:
            with self._handle(overview.index) as dataset:
                return self._pixels(dataset, frame, shape, bands)
        except (RasterioError, OSError, MemoryError) as error:
            raise ReadError(f"{mask_urls(self.source.path)} cannot be read: {last_line(error)}") from error

    def _pixels(
        self, dataset: DatasetReader, frame: RasterioWindow, shape: tuple[int, int], bands: Sequence[int]
    ) -> ImagePart:
        picture = self.source.picture
        indexes = list(self.source.indexes) if picture.table else [self.source.indexes[band] for band in bands]
        raw = dataset.read(indexes, window=frame, out_shape=(len(indexes), *shape))
        masks = dataset.read_masks(indexes, window=frame, out_shape=(len(indexes), *shape)) > 0
        alpha = None if picture.alpha is None else dataset.read(picture.alpha, window=frame, out_shape=shape)
        planes = picture.convert(raw, alpha)
        return ImagePart(planes=planes[list(bands)] if picture.table else planes, valid=self._valid(raw, masks))

    def _valid(self, raw: npt.NDArray[np.generic], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether pixels are shown, by the bands that are read."""
        nodata = self.source.nodata
        shown = masks if nodata == "auto" else np.ones_like(masks) if nodata is None else raw != nodata
        valid = np.asarray(shown.all(0) if self.source.rule == "any" else shown.any(0))
        return np.asarray(valid & np.isfinite(raw).all(0)) if raw.dtype.kind == "f" else valid

    def _decoded_bands(self, bands: int) -> int:
        """Bands that GDAL decodes for some of them: all, where a block of the file holds all."""
        return self._bands_per_block if self._bands_per_block > 1 else bands

    @cached_property
    def _bands_per_block(self) -> int:
        with self._handle(None) as dataset:
            return dataset.count if dataset.interleaving is rasterio.enums.Interleaving.pixel else 1

    def _overview(self, index: int | None) -> FileOverview:
        with self._handle(index) as dataset:
            band = self.source.indexes[0] - 1
            return FileOverview(
                index=index,
                height=dataset.height,
                width=dataset.width,
                factor=max(self.source.grid.height / dataset.height, self.source.grid.width / dataset.width),
                block=dataset.block_shapes[band],
                itemsize=np.dtype(dataset.dtypes[band]).itemsize,
            )

    @contextmanager
    def _handle(self, overview: int | None) -> Iterator[DatasetReader]:
        """An open file that no other thread uses; one that failed is not used again."""
        with gdal_env(self.source.settings):
            with self._lock:
                idle = self._idle.setdefault(overview, [])
                dataset = idle.pop() if idle else None
            if dataset is None:
                options = {} if overview is None else {"overview_level": overview}
                dataset = rasterio.open(self.source.path, **options)
            yield dataset
            with self._lock:
                idle.append(dataset)


def _scaled(window: Window, overview: FileOverview, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """A window of a level as a part of an overview: (row, col, height, width)."""
    down, right = overview.height / shape[0], overview.width / shape[1]
    return window.row * down, window.col * right, window.height * down, window.width * right


def _exact(window: Window) -> tuple[float, float, float, float]:
    return window.row, window.col, window.height, window.width
