"""Any source on another grid: exact windows of one resampled raster, whoever asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window as RasterioWindow

from pipeline.errors import ReadError
from pipeline.geometry.crs import same_grid
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources.gdal.opening import last_line
from pipeline.sources.regrid.ground import ground_note
from pipeline.sources.regrid.kernels import MASK_KERNEL, grown, kernel_reach, reach_beyond_bilinear, valid_share
from pipeline.sources.regrid.placement import Placement
from pipeline.sources.regrid.source_windows import Need, needs
from pipeline.sources.regrid.warp_vrt import full_size, warp_xml
from pipeline.sources.wrappers.wrapper import SourceWrapper

LARGEST_UNIT = 256
"""Rows and columns of the grid that are warped at once, px."""
SMALLEST_UNIT = 2
"""The same of grids that are many times coarser than the source."""
UNIT_IN_SOURCE = 2048
"""Rows and columns of the source that a unit takes up at most, px, unless it is of the smallest."""
SAME_SCALE = 0.01
"""Share by which two scales may differ and be one."""
MASK_BYTES = 16
"""Bytes per pixel for whether it is valid, and for the floats by which that is brought to the grid."""
DATA_COPIES = 4
"""Times that the source's pixels are held: as they are read, with 0 where invalid, as a file in memory, and in GDAL."""
MAX_PROBED = 12
"""Units along an axis whose need is measured for the plan."""


@dataclass(frozen=True, kw_only=True)
class Regridded(SourceWrapper):
    """A source on a target grid. Pickles as its spec."""

    placement: Placement
    """Where the source's pixels lie."""
    target: Grid
    resampling: str
    scale: tuple[float, float]
    """(x, y) pixels of the grid per pixel of the source, by which kernels are widened: one for the whole grid."""

    @property
    def grid(self) -> Grid:
        """The target."""
        return self.target

    @cached_property
    def unit(self) -> int:
        """Rows and columns of what is warped at once, px.

        Units lie on one lattice, so that no pixel depends on the window that asks for it.
        """
        largest = UNIT_IN_SOURCE * min(*self.scale, 1.0)
        return min(LARGEST_UNIT, max(SMALLEST_UNIT, 1 << max(math.floor(math.log2(largest)), 0)))

    @property
    def block(self) -> tuple[int, int]:
        """(rows, cols) that are warped at once, px of the target."""
        return min(self.unit, self.target.height), min(self.unit, self.target.width)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of how it is read, with what a pixel is on the ground."""
        return (*self.source.notes, ground_note(self.source.grid, self.placement, self.target, self.resampling))

    @cached_property
    def working_bytes(self) -> int:
        """Bytes that a reader holds at most while it warps a unit, beside the pixels that it returns."""
        return self.bytes_to_warp(Window(row=0, col=0, height=self.target.height, width=self.target.width))

    def bytes_to_warp(self, part: Window) -> int:
        """The same of the units of a part of the target."""
        size = self.source.grid.height, self.source.grid.width
        largest = max((need.window.pixels for unit in self._probe(part) for need in self._needs(unit, size)), default=0)
        per_pixel = DATA_COPIES * self.bands * self.dtype.itemsize + MASK_BYTES
        return (largest + self.unit**2) * per_pixel + self.source.working_bytes

    def with_stored_grid(self, stored: Mapping[str, Any]) -> Regridded:
        """The same with the grid and the scale that a store was made with, where only their last digits differ.

        Those come of a CRS by PROJ, and differ between its releases.

        Parameters
        ----------
        stored
            The fingerprint of a store, or of a frozen plan.
        """
        warp, grid = stored.get("source.warp"), stored.get("source.grid")
        if not warp or not grid or self.target.as_dict()["crs"] != grid["crs"]:
            return self
        then = replace(self.target, height=grid["height"], width=grid["width"], transform=tuple(grid["transform"]))
        close = all(abs(now / before - 1) < SAME_SCALE for now, before in zip(self.scale, warp["scale"], strict=True))
        if not close or not same_grid(self.target, then):
            return self
        return replace(self, target=then, scale=tuple(warp["scale"]))

    def identity(self) -> dict[str, Any]:
        """That of the source, on the target grid."""
        return {
            **self.source.identity(),
            "grid": self.target.as_dict(),
            "warp": {
                "from": self.source.grid.as_dict(),
                "resampling": self.resampling,
                "scale": list(self.scale),
            },
        }

    def read(self, window: Window) -> Pixels:
        """Read a window of the target; what lies outside the source is invalid.

        Raises
        ------
        ReadError
            The source cannot be read there.
        """
        data = np.zeros((self.bands, window.height, window.width), dtype=self.dtype)
        valid, causes, decoded = np.zeros(data.shape[1:], dtype=bool), np.zeros(data.shape[1:], np.uint8), 0
        inside = window.clip(self.target.height, self.target.width)
        for unit in _units(inside, self.unit) if inside.pixels else ():
            unit = unit.clip(self.target.height, self.target.width)
            part, common = self._unit(unit), unit.intersect(window)
            to, origin = common.index_in(window), common.index_in(unit)
            data[(slice(None), *to)] = part.data[(slice(None), *origin)]
            valid[to] = part.valid[origin]
            decoded += unit.pixels
            if part.causes is not None:
                causes[to] = part.causes[origin]
        return Pixels(data=data, valid=valid, causes=causes if causes.any() else None, decoded=decoded)

    def _unit(self, unit: Window) -> Pixels:
        """A unit of the lattice, from the parts of the source that lie there: those further east or west come last."""
        data = np.zeros((self.bands, unit.height, unit.width), dtype=self.dtype)
        valid, causes = np.zeros(data.shape[1:], dtype=bool), np.zeros(data.shape[1:], np.uint8)
        for need in self._needs(unit, (self.source.grid.height, self.source.grid.width)):
            part = self.source.read(need.window)
            if not part.valid.any():
                causes[~valid] = _main_cause(part)
                continue
            try:
                pixels, inside, spoiled = self._warped(unit, need, part)
            except (RasterioError, MemoryError) as error:
                raise ReadError(f"the source cannot be warped to {unit} of its grid: {last_line(error)}") from error
            fill = inside & ~spoiled & ~valid
            data[:, fill] = pixels[:, fill]
            causes[inside & spoiled & ~valid] = _main_cause(part)
            valid |= fill
        causes[valid] = 0
        return Pixels(data=data, valid=valid, causes=causes if causes.any() else None)

    def _warped(
        self, unit: Window, need: Need, part: Pixels
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Pixels of a unit, where they lie in the source, and where their kernel meets an invalid pixel."""
        if part.valid.all():
            warped = self._warp(unit, need, part.data, self.resampling)
            return warped[:-1], warped[-1] != 0, np.zeros((unit.height, unit.width), bool)
        warped = self._warp(unit, need, np.where(part.valid, part.data, part.data.dtype.type(0)), self.resampling)
        invalid = grown(~part.valid, reach_beyond_bilinear(self.resampling, self.scale)).astype(np.float32)[None]
        share = self._warp(unit, need, invalid, MASK_KERNEL.get(self.resampling, "bilinear"))[0]
        return warped[:-1], warped[-1] != 0, share > valid_share(self.scale)

    def _warp(self, unit: Window, need: Need, data: npt.NDArray[Any], resampling: str) -> npt.NDArray[Any]:
        """(bands and alpha, rows, cols) of a unit."""
        frame = RasterioWindow(unit.col, unit.row, unit.width, unit.height)
        size = self.source.grid.height, self.source.grid.width
        with full_size(data, need.window, size) as source:
            text = warp_xml(
                source=source,
                bands=len(data),
                dtype=str(data.dtype),
                placement=self.placement.moved_east(need.turns),
                target=self.target,
                resampling=resampling,
                scale=self.scale,
                block=self.unit,
            )
            with MemoryFile(text.encode(), ext=".vrt") as file, file.open() as dataset:
                return dataset.read(window=frame)  # type: ignore[no-any-return]

    def _needs(self, unit: Window, size: tuple[int, int]) -> list[Need]:
        return needs(self.placement, self.target, unit, size, kernel_reach(self.resampling, self.scale))

    def _probe(self, part: Window) -> Iterator[Window]:
        """Units that show what the others need: all of a small part, evenly chosen ones of a large one."""
        first = part.row // self.unit, part.col // self.unit
        rows, cols = (
            _chosen(-(-span.stop // self.unit) - start)
            for span, start in zip((part.rows, part.cols), first, strict=True)
        )
        for row, col in product(rows, cols):
            corner = (first[0] + row) * self.unit, (first[1] + col) * self.unit
            unit = Window(row=corner[0], col=corner[1], height=self.unit, width=self.unit)
            yield unit.clip(self.target.height, self.target.width)


def _chosen(count: int) -> list[int]:
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, MAX_PROBED))})


def _units(window: Window, size: int) -> Iterator[Window]:
    rows, cols = (span.align(size) for span in (window.rows, window.cols))
    for row, col in product(range(rows.start, rows.stop, size), range(cols.start, cols.stop, size)):
        yield Window(row=row, col=col, height=size, width=size)


def _main_cause(part: Pixels) -> int:
    """The most frequent cause of invalid pixels; of several as frequent the first."""
    if part.causes is None:
        return 0
    return int(np.bincount(part.causes[part.causes > 0].ravel(), minlength=1).argmax())
