"""The part of a raster that is asked for: what is inferred and written, and never what the network sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config import AreaConfig, OnlyConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.runtime.optional_imports import require
from pipeline.sources.polygons import PolygonFile, PolygonUse, open_polygons
from pipeline.sources.qupath_class import qupath_class_name

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area

__all__ = ["open_area"]


CLASS_FIELDS = ("classification", "class")
"""Fields that hold the class of a polygon: QuPath's, and that of objects that are exported here."""


def open_area(aoi: str | AreaConfig | None, grid: Grid, key: str = "source.aoi") -> Area | None:
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
    key
        Of the config, for messages.

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

    role = PolygonUse(
        name=f"The polygons of {key},",
        option=f"Give {key}: {{path: …, layer: NAME}}",
        alternative="" if key == "source.aoi" else ", or a mask picture",
        error=SourceError,
    )
    config = AreaConfig(path=aoi) if isinstance(aoi, str) else aoi
    layer = open_polygons(config.path, config.layer, where=config.where, role=role)
    if isinstance(config, OnlyConfig) and config.classes:
        layer = _of_classes(layer, config.classes)
    return open_aoi(layer, grid)


def _of_classes(layer: PolygonFile, classes: list[str]) -> PolygonFile:
    """The polygons of some classes; raises SourceError where there are none of one of them."""
    field = next((name for name in CLASS_FIELDS if name in layer.field_names()), None)
    if field is None:
        raise SourceError(
            f"{layer.description} have no field {' or '.join(CLASS_FIELDS)}, by which source.only.classes chooses "
            f"among them. Leave classes out, or give a condition on another field as where."
        )
    classified = replace(layer, attribute=field, classes=tuple(classes))
    present = {str(qupath_class_name(value)) for value in np.asarray(classified.fields()[1])}
    missing = [name for name in classes if name not in present]
    if missing:
        raise SourceError(
            f"{layer.description} hold no polygon of the class {missing[0]}; their classes are "
            f"{', '.join(sorted(present)[:12])}. Give some of these as source.only.classes."
        )
    return classified
