"""The layout of the store that a job writes: its grid, its levels and its layers."""

from __future__ import annotations

from pipeline.errors import StoreError
from pipeline.geometry.grid import Grid
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Source
from pipeline.planning.fingerprint import Fingerprint, unplaced
from pipeline.planning.planner import PlanInputs
from pipeline.planning.types import TilePlan
from pipeline.store.picture_spec import PictureSpec
from pipeline.store.spec import ClassRow, StoreSpec, levels_for


def make_spec(
    inputs: PlanInputs,
    stored: Fingerprint,
    recipe: Recipe,
    rows: tuple[ClassRow, ...],
    tiles: TilePlan,
    picture: PictureSpec | None = None,
) -> StoreSpec:
    """What a store is laid out by.

    Parameters
    ----------
    inputs
        What the plan is made of.
    stored
        Fingerprint of the store.
    recipe
        How pixels become layers.
    rows
        The class table.
    tiles
        Sizes of chunks and shards.
    picture
        The picture of its source that the store keeps.

    Raises
    ------
    StoreError
        Overviews are asked of a store without.
    """
    return StoreSpec(
        grid=_grid(inputs.source, stored),
        layers=recipe.layers,
        chunk=tiles.chunk,
        shard=tiles.shard,
        nodata=recipe.nodata,
        dtype=recipe.dtype,
        zarr_format=inputs.config.output.zarr_format,
        classes=rows,
        levels=_levels(inputs, tiles),
        probabilities=recipe.probabilities,
        class_codes=tuple(recipe.decoding.codes[k] for k in recipe.decoding.outcomes),
        has_min_confidence=recipe.min_confidence > 0,
        values=recipe.values,
        picture=picture,
    )


def _grid(source: Source, stored: Fingerprint) -> Grid:
    """The grid of the store: one that was made in pixels stays so, whatever is known of the raster's place now."""
    stored_grid = stored.get("source.grid", {})
    return (
        Grid(height=source.grid.height, width=source.grid.width)
        if source.grid.wkt is None and unplaced(stored_grid)
        else source.grid
    )


def _levels(inputs: PlanInputs, tiles: TilePlan) -> int:
    """Levels of the store that is there, or of the one that will be.

    Raises StoreError where overviews are asked of a store without.
    """
    requested = requested_levels(inputs, tiles)
    existing: int = inputs.stored.get("levels", requested) if inputs.stored else requested
    if existing < requested:
        raise StoreError(
            f"{inputs.config.output.path} was made without overviews, but output.pyramid asks for them. Set "
            f"output.pyramid: false, give another output.path, "
            "or run with --fresh, which deletes the store and starts over."
        )
    return existing


def requested_levels(inputs: PlanInputs, tiles: TilePlan) -> int:
    """Levels that the config asks for."""
    return levels_for(inputs.source.grid, tiles.chunk) if inputs.config.output.pyramid else 1
