"""What of a raster is asked for, by its section of the config: polygons, a mask picture, or tissue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import OnlyConfig, SourceConfig
from pipeline.config.areas import TISSUE
from pipeline.config.tissue import TissueConfig
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.aoi import open_area
from pipeline.sources.only.area import RequestedArea, SourceAreas
from pipeline.sources.polygons import is_vector

__all__ = ["areas_on_grid", "open_areas"]


def open_areas(config: SourceConfig, source: Source, tissue: Mapping[str, Any] | None = None) -> SourceAreas:
    """Open what limits a raster, and estimate its tissue where that is asked for.

    Parameters
    ----------
    config
        The section ``source``.
    source
        The raster.
    tissue
        What a store or a frozen plan keeps of an estimate: it is taken as it is; None to estimate it.

    Raises
    ------
    SourceError
        A file is missing, unreadable or lies elsewhere, or the raster has no tissue, or no colours to tell it by.
    ExtraError
        Polygons need the extra ``vector``.
    """
    if config.only == TISSUE and not tissue:
        # it needs scikit-image, and other areas do without
        from pipeline.sources.tissue import estimate_tissue

        tissue = estimate_tissue(source, config.tissue or TissueConfig())
    return areas_on_grid(config, source.grid, tissue)


def areas_on_grid(config: SourceConfig, grid: Grid, tissue: Mapping[str, Any] | None) -> SourceAreas:
    """The same where the tissue is known, so that the raster need not be there. Raises as `open_areas`."""
    aoi = open_area(config.aoi, grid)
    if config.only != TISSUE:
        return SourceAreas(aoi=aoi, only=_of_file(config, grid))
    from pipeline.sources.tissue.mask import tissue_area

    assert tissue, "a store or a plan with only: tissue keeps the tissue"
    settings = config.tissue or TissueConfig()
    return SourceAreas(aoi=aoi, only=tissue_area(tissue, grid), settings=settings.model_dump(), tissue=dict(tissue))


def _of_file(config: SourceConfig, grid: Grid) -> RequestedArea | None:
    path = config.only.path if isinstance(config.only, OnlyConfig) else config.only
    chooses = isinstance(config.only, OnlyConfig) and (config.only.layer or config.only.where or config.only.classes)
    if path is None or chooses or is_vector(path):
        return open_area(config.only, grid, "source.only")
    from pipeline.sources.only.mask_file import open_mask

    return open_mask(path, grid)
