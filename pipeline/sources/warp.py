"""A raster on another grid than its own: GDAL warps what a window of that grid takes up."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from pipeline.geometry.crs import bbox_in_crs, bbox_of
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.gdal.georeference import grid_of

EXACT_PX = 1e-3
"""Error allowed in placing a pixel, px of the raster.

GDAL's default of an eighth moves borders; a millionth is 6 times as slow and moves 3 pixels in 10⁵.
"""

MASKED_BY_GDAL = ("uint8", "uint16")
"""Types of an alpha band of which GDAL makes a mask."""


@dataclass(frozen=True, kw_only=True)
class WarpedRaster:
    """A band of a raster on a target grid.

    Pickles as this spec; each thread opens a handle of its own on first use.
    """

    path: str
    opener: Callable[[str], DatasetReader]
    """Opens the path, and words the errors of whoever reads."""
    grid: Grid
    """The target."""
    aligned: bool = False
    """Whether the raster has the target's own pixels, which are read as they are."""
    turns: tuple[float, ...] = (0.0,)
    """How far to the east the raster is moved to lie on the target, each in turn, in the units of its CRS; unless
    aligned."""
    nodata_is_value: bool = False
    """Whether the file's nodata is a value like the others."""
    resampling: Resampling = Resampling.nearest
    band: int = 1
    """Counted from 1."""
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())

    def read(self, window: Window) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Values and mask of a window inside the target, each (rows, cols).

        Those of a later turn where an earlier one has none.
        """
        frame = RasterioWindow(window.col, window.row, window.width, window.height)
        first, *others = self._datasets
        values, mask = first.read(self.band, window=frame), _mask(first, frame, self.band)
        for dataset in others:
            fill = (mask == 0) & (_mask(dataset, frame, self.band) > 0)
            if fill.any():
                values[fill], mask[fill] = dataset.read(self.band, window=frame)[fill], 255
        return values, mask

    def reopen(self) -> None:
        """Let go of this thread's handles: one that failed once may go on failing."""
        self._local.__dict__.clear()

    @property
    def _datasets(self) -> list[DatasetReader | WarpedVRT]:
        handles: list[DatasetReader | WarpedVRT] | None = getattr(self._local, "datasets", None)
        if handles is None:
            raw = self.opener(self.path)
            handles = self._local.datasets = [raw] if self.aligned else [self._warp(raw, turn) for turn in self.turns]
        return handles

    def _warp(self, raw: DatasetReader, turn: float) -> WarpedVRT:
        """The raster on the target, moved to the east; what lies outside the raster is masked."""
        grid = self.grid
        options: dict[str, Any] = {"src_nodata": None, "nodata": None} if self.nodata_is_value else {}
        if len(self.turns) > 1:
            # x jumps between two corners, by which GDAL finds what it is to read
            options |= {"SAMPLE_STEPS": "ALL", "SOURCE_EXTRA": _source_extra(grid_of(raw), grid)}
        if turn:
            options["src_transform"] = Affine.translation(turn, 0) * raw.transform
        return WarpedVRT(
            raw,
            crs=CRS.from_wkt(grid.wkt),
            transform=Affine(*grid.transform),
            height=grid.height,
            width=grid.width,
            resampling=self.resampling,
            tolerance=EXACT_PX,
            add_alpha=ColorInterp.alpha not in raw.colorinterp,
            **options,
        )


def _mask(dataset: DatasetReader | WarpedVRT, frame: RasterioWindow, band: int) -> npt.NDArray[np.uint8]:
    """Mask of a window of a band.

    GDAL makes none of an alpha band of signed numbers or floats, so that the band itself is asked as well.
    """
    mask: npt.NDArray[np.uint8] = dataset.read_masks(band, window=frame)
    if ColorInterp.alpha in dataset.colorinterp and dataset.dtypes[0] not in MASKED_BY_GDAL:
        mask[dataset.read(dataset.colorinterp.index(ColorInterp.alpha) + 1, window=frame) == 0] = 0
    return mask


def _source_extra(raster: Grid, target: Grid) -> int:
    """Pixels of the raster that two of the target take up, by the smaller of its first and last.

    One that x jumps within looks as wide as the earth.
    """
    assert target.wkt is not None
    assert raster.wkt is not None
    corners = [
        Window(row=0, col=0, height=1, width=1),
        Window(row=target.height - 1, col=target.width - 1, height=1, width=1),
    ]
    sides = [box for corner in corners for box in bbox_in_crs(bbox_of(target, corner), target.wkt, raster.wkt) or []]
    height, width = raster.pixel_size
    return 2 + math.ceil(
        2 * min((max((box.right - box.left) / width, (box.top - box.bottom) / height) for box in sides), default=0.0)
    )
