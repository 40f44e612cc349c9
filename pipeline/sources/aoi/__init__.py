"""The part of a raster that is asked for: what is inferred and written, and never what the network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config import AreaConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.runtime.optional_imports import require

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area

__all__ = ["open_area"]


def open_area(aoi: str | AreaConfig | None, grid: Grid) -> Area | None:
    """Read an area of interest and lay it on the grid of a raster.

    Polygons are brought to the raster's CRS, long edges bent as they bend there, and counted as one area. Those that
    cross themselves are taken by the even-odd rule. On a raster without a CRS, polygons without one and GeoJSON are in
    columns and rows.

    Parameters
    ----------
    aoi
        Path of the polygons, or a section of the config; None for everything.
    grid
        Of the raster.

    Returns
    -------
    Area or None
        A small picklable spec; None where everything is asked for.

    Raises
    ------
    SourceError
        It is missing, unreadable, holds no polygon, lacks a CRS or lies elsewhere.
    ExtraError
        The extra ``vector`` is not installed.
    """
    if aoi is None:
        return None
    for library in ("pyogrio", "shapely"):
        require(library, "vector", "Reading polygons")
    from pipeline.sources.aoi.aoi import open_aoi
    from pipeline.sources.polygons import PolygonUse, open_polygons

    role = PolygonUse(
        name="The polygons of source.aoi,",
        option="Give source.aoi: {path: …, layer: NAME}",
        alternative="",
        error=SourceError,
    )
    config = AreaConfig(path=aoi) if isinstance(aoi, str) else aoi
    return open_aoi(open_polygons(config.path, config.layer, where=config.where, role=role), grid)
