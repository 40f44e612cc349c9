"""Pieces of several lattices on the grid that the config names: each is resampled alone, and then they are composed."""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.config.grids import GridConfig
from pipeline.errors import SourceError
from pipeline.geometry.crs import Box, bbox_of, name_of
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.mosaics.group import PieceGroup
from pipeline.sources.mosaics.outlines import PieceOutlines, outlines_in
from pipeline.sources.regrid.coverage import covered_box
from pipeline.sources.regrid.placement import Placement, placement_of
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.regrid.scale import common_places, kernel_scale
from pipeline.sources.regrid.target import target_grid


def on_named_grid(source: Source, grid: Grid, resampling: str) -> Regridded:
    """A piece on the whole of a grid, by a kernel of its own scale."""
    placement = placement_of(source)
    return Regridded(
        source=source,
        placement=placement,
        target=grid,
        resampling=resampling,
        scale=_scale(grid, source, placement),
    )


def _scale(grid: Grid, source: Source, placement: Placement) -> tuple[float, float]:
    """The scale of a piece: of all of it where so little lies on the grid that no lattice of places meets it."""
    size = source.grid.height, source.grid.width
    if common_places(grid, size, placement).rows.size:
        return kernel_scale(grid, source, placement)
    assert grid.wkt is not None
    a, b, _, d, e, _ = grid.transform
    box = covered_box(grid.wkt, placement, size)
    height, width = grid.pixel_size
    rows, cols = math.ceil((box.top - box.bottom) / height), math.ceil((box.right - box.left) / width)
    around = replace(grid, height=rows, width=cols, transform=(a, b, box.left, d, e, box.top))
    return kernel_scale(around, source, placement)


def grid_of_pieces(config: GridConfig, first: Source, group: PieceGroup) -> tuple[Grid, PieceOutlines]:
    """The grid that a config names for pieces, and the outlines of these in its CRS.

    Parameters
    ----------
    config
        What is asked for; CRS and resolution are about those of the first piece where it leaves them out.
    first
        The first piece, open.
    group
        All pieces.

    Raises
    ------
    SourceError
        The grid is none, a piece lies nowhere, or no piece lies on the grid.
    """
    _require_crs(group)

    def covered(wkt: str) -> Box:
        if (box := outlines_in(wkt, group.grids).box) is None:
            raise SourceError(
                f"The pieces of the mosaic have no bounded place in {name_of(wkt)}. Give source.grid.bounds, or "
                f"another source.grid.crs."
            )
        return box

    grid = target_grid(config, first, placement_of(first), covered)
    assert grid.wkt is not None
    outlines = outlines_in(grid.wkt, group.grids)
    if not len(outlines.windows_on(grid)[0]):
        raise _no_overlap_error(grid, outlines)
    return grid, outlines


def _require_crs(group: PieceGroup) -> None:
    """Raise SourceError where a piece lies nowhere."""
    for piece, grid in zip(group.pieces, group.grids, strict=True):
        if grid.wkt is None:
            raise SourceError(
                f"{piece.name} has no CRS and transform, so that nobody knows where it lies on source.grid. Give it "
                f"both (gdal_edit.py -a_srs EPSG:CODE -a_ullr …, or gdalwarp where it has ground control points), or "
                f"leave it out."
            )


def _no_overlap_error(grid: Grid, outlines: PieceOutlines) -> SourceError:
    """The error of a grid on which no piece lies."""
    assert grid.wkt is not None
    return SourceError(
        f"source.grid does not overlap the mosaic. In {name_of(grid.wkt)} the grid covers {bbox_of(grid)}, the pieces "
        f"{outlines.box or 'no place there'}. Give source.grid.bounds of the same place, in the units of that CRS, or "
        f"leave them out."
    )
