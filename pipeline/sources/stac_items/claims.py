"""What an item says of a file, compared with the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.crs import same_crs
from pipeline.geometry.grid import Grid
from pipeline.sources.raster import RasterSource
from pipeline.sources.stac_items.asset_bands import AssetBand
from pipeline.sources.stac_items.radiometry import stated_numbers

SAME_PLACE_PX = 0.01
"""px by which two transforms may differ at any corner and still be one: programs round their last digits."""
SAME_NUMBER = 1e-9
"""Share by which two scales may differ and still be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetClaims:
    """What an item says of one band of a file."""

    asset: str
    projection: Mapping[str, Any]
    scale: float
    offset: float
    has_scale: bool
    """Whether it names a scale or an offset."""
    data_type: str = ""
    nodata: float | None = None

    @classmethod
    def of(cls, band: AssetBand) -> AssetClaims:
        """By the item's metadata."""
        scale, offset = stated_numbers(band)
        return cls(
            asset=band.key,
            projection=band.projection,
            scale=scale,
            offset=offset,
            has_scale="raster:scale" in band.metadata or "raster:offset" in band.metadata,
            data_type=str(band.metadata.get("data_type", "")),
            nodata=_number(band.metadata.get("nodata")),
        )

    def check(self, source: RasterSource, config: SourceConfig) -> None:
        """Compare with a file.

        Raises
        ------
        SourceError
            They contradict each other in the place; or in numbers, and the config does not say how these are read.
        """
        self._refuse(_placed_otherwise(self.projection, source.grid), "Give its files to kind: bands by themselves")
        if config.radiometry is None:
            self._refuse(self._numbered_otherwise(source), "Say in source.radiometry how its numbers are read")
        if config.nodata == "auto":
            self._refuse(self._void_otherwise(source), "Say in source.nodata which number means nothing")

    def _numbered_otherwise(self, source: RasterSource) -> str:
        """How numbers differ; empty where they do not."""
        dtype, scale, offset = _numbers_in_file(source)
        if self.data_type in np.sctypeDict and np.dtype(self.data_type) != dtype:
            return f"data_type is {self.data_type}, and the file has {dtype}"
        differs = abs(scale - self.scale) > SAME_NUMBER * abs(scale) or abs(offset - self.offset) > SAME_NUMBER
        if self.has_scale and (scale, offset) != (1.0, 0.0) and differs:
            return f"scale and offset are {self.scale:g} and {self.offset:g}, and the file has {scale:g} and {offset:g}"
        return ""

    def _void_otherwise(self, source: RasterSource) -> str:
        nodata = source.dataset.nodatavals[source.indexes[0] - 1]
        if self.nodata is None or nodata is None or nodata == self.nodata or np.isnan([nodata, self.nodata]).all():
            return ""
        return f"nodata is {self.nodata:g}, and the file has {nodata:g}"

    def _refuse(self, contradiction: str, remedy: str) -> None:
        if contradiction:
            raise SourceError(
                f"The item and the file of its asset {self.asset} contradict each other: of the item, {contradiction}. "
                f"{remedy}, or leave the asset out."
            )


def _numbers_in_file(source: RasterSource) -> tuple[np.dtype[Any], float, float]:
    """Dtype, scale and offset of the band that is read."""
    dataset, k = source.dataset, source.indexes[0] - 1
    return np.dtype(dataset.dtypes[k]), float(dataset.scales[k]), float(dataset.offsets[k])


def _placed_otherwise(projection: Mapping[str, Any], grid: Grid) -> str:
    """How the place differs; empty where it does not."""
    shape, transform = projection.get("proj:shape"), projection.get("proj:transform")
    if shape and list(shape) != [grid.height, grid.width]:
        return f"proj:shape is {list(shape)}, and the file has {[grid.height, grid.width]}"
    if transform and not _same_transform(list(transform)[:6], grid):
        return f"proj:transform is {list(transform)[:6]}, and the file has {list(grid.transform)}"
    code = projection.get("proj:code")
    stated = code or projection.get("proj:wkt2") or projection.get("proj:projjson")
    if stated and grid.wkt and not _is_crs(stated, grid):
        return f"proj:code is {code or 'of another CRS'}, and the file has {grid.code or 'another CRS'}"
    return ""


def _same_transform(stated: list[float], grid: Grid) -> bool:
    """Whether corners differ by less than a hundredth of a pixel."""
    difference = np.subtract(stated, grid.transform)
    corners = np.array([(0, 0, 1), (grid.width, 0, 1), (0, grid.height, 1), (grid.width, grid.height, 1)])
    return bool(np.abs(corners @ difference.reshape(2, 3).T).max() <= SAME_PLACE_PX * min(grid.pixel_size))


def _is_crs(stated: Any, grid: Grid) -> bool:
    try:
        return same_crs(CRS.from_user_input(stated).to_wkt(), grid.wkt)
    except CRSError:
        return True  # what pyproj does not know contradicts nothing


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)  # the extension writes nan and inf as words
    except (TypeError, ValueError):
        return None
