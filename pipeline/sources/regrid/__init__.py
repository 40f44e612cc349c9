"""Any source on a grid that the config names: ``source.grid`` and ``source.resampling``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from pipeline.config import SourceConfig
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.regrid.placement import Placement, placement_of
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.regrid.scale import kernel_scale
from pipeline.sources.regrid.target import check_grid_overlap, target_grid

__all__ = ["on_grid", "place_on_grid"]


@runtime_checkable
class OnNamedGrid(Protocol):
    """A source that lies on the grid of its config already."""

    def with_stored_grid(self, stored: Mapping[str, Any]) -> Source:
        """The same with the grid that a store was made with, as for `Regridded`."""


def on_grid(source: Source, config: SourceConfig, stored: Mapping[str, Any] | None = None) -> Source:
    """A source on the grid that the config names; as it is where the config names none.

    Parameters
    ----------
    source
        On its own grid.
    config
        With ``grid`` and ``resampling``.
    stored
        The fingerprint of the store that is there already, or of a frozen plan: its grid and scale are kept.

    Raises
    ------
    SourceError
        The source lies nowhere, or elsewhere, or the grid is none.
    """
    if config.grid is None:
        return source
    if isinstance(source, OnNamedGrid):
        return source.with_stored_grid(stored or {})
    placement = placement_of(source)
    grid = target_grid(config.grid, source, placement)
    check_grid_overlap(grid, source, placement)
    return place_on_grid(source, placement, grid, config.resampling).with_stored_grid(stored or {})


def place_on_grid(source: Source, placement: Placement, grid: Grid, resampling: str) -> Regridded:
    """A source on a grid, of which it covers some."""
    scale = kernel_scale(grid, source, placement)
    return Regridded(source=source, placement=placement, target=grid, resampling=resampling, scale=scale)
