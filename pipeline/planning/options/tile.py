"""Options of tiles: size, halo, and how they are blended."""

from __future__ import annotations

from pipeline.config import ToleranceConfig
from pipeline.geometry.span import round_up
from pipeline.planning.candidates import blend_size, blend_step
from pipeline.planning.option import AUTO, Option, Resolved
from pipeline.planning.options.dates import FIRST_STORES


def _requested_size(job: Resolved) -> int | str:
    """The size of blended tiles, where the config or the network's training gives one."""
    if not job.recipe.overlapping:
        return job.config.tile.size
    trained = job.config.model.input.size if job.config.model.input else None
    size = trained if job.config.tile.size == "auto" else job.config.tile.size
    return (
        AUTO if size is None else blend_size(size, job.tiles.multiple, job.tiles.minimum, job.network.accepts.maximum)
    )


def _requested_halo(job: Resolved) -> int | str:
    halo = job.config.tile.halo
    return round_up(halo, job.tiles.multiple) if isinstance(halo, int) else AUTO


def _requested_tolerance(job: Resolved) -> float | str:
    tile = job.config.tile
    return tile.halo.tolerance if isinstance(tile.halo, ToleranceConfig) and tile.overlap in (AUTO, 0) else AUTO


def _requested_step(job: Resolved) -> int | str:
    overlap = job.config.tile.overlap
    if overlap == "auto":
        return AUTO
    return blend_step(job.tiles.size, overlap, job.tiles.multiple) if overlap else 0


def _requested_blend(job: Resolved) -> str:
    """What is averaged matters only where tiles overlap or are turned."""
    averaged = job.recipe.overlapping or job.config.tile.augment != "none"
    return job.config.tile.blend if averaged else AUTO


def _frozen_overlap(job: Resolved) -> int:
    return job.tiles.size - job.tiles.step if job.tiles.halo is None else 0


TILE_OPTIONS: tuple[Option, ...] = (
    Option(
        key="tile.size",
        since=FIRST_STORES,
        explanation="longest tile, px",
        resolved=lambda job: job.tiles.size,
        requested=_requested_size,
        frozen=lambda job: job.tiles.size,
        in_plan=True,
    ),
    Option(
        key="tile.halo",
        since=FIRST_STORES,
        explanation="border of a tile that is cut off, px; none where tiles are blended",
        resolved=lambda job: job.tiles.halo,
        requested=_requested_halo,
        frozen=lambda job: AUTO if job.tiles.halo is None else job.tiles.halo,
        request_rank=1,
        line_rank=-2,
    ),
    Option(
        key="tile.exact",
        field="tile.halo",
        since=FIRST_STORES,
        explanation="whether the halo covers all that a pixel depends on",
        resolved=lambda job: job.tiles.exact,
        requested=lambda job: True if job.config.tile.halo == "exact" else AUTO,
        request_rank=1,
    ),
    Option(
        key="tile.tolerance",
        field="tile.halo",
        since="2026-11-21 12:07",
        explanation="largest error that the halo was measured for",
        resolved=lambda job: job.tiles.tolerated.tolerance if job.tiles.tolerated else None,
        requested=_requested_tolerance,
        old_default=None,
        request_rank=1,
    ),
    Option(
        key="tile.step",
        field="tile.overlap",
        since=FIRST_STORES,
        explanation="distance of blended tiles, px; 0 where tiles have halos",
        resolved=lambda job: job.tiles.step,
        requested=_requested_step,
        frozen=_frozen_overlap,
        in_plan=True,
        line_rank=-1,
    ),
    Option(
        key="tile.taper",
        since=FIRST_STORES,
        explanation="weights of blended tiles",
        resolved=lambda job: job.tiles.taper,
        requested=lambda job: job.config.tile.taper,
        frozen=lambda job: job.tiles.taper,
        in_plan=True,
    ),
    Option(
        key="tile.blend",
        since=FIRST_STORES,
        explanation="what is averaged where tiles overlap or are turned",
        resolved=lambda job: job.tiles.blend,
        requested=_requested_blend,
        frozen=lambda job: job.tiles.blend,
        in_plan=True,
    ),
    Option(
        key="tile.batch",
        since="2026-11-21 11:38",
        explanation="blended tiles that go through the network at once",
        resolved=lambda job: job.tiles.batch,
        requested=lambda job: job.config.tile.batch if job.recipe.overlapping else AUTO,
        frozen=lambda job: job.tiles.batch,
        old_default=1,
        in_plan=True,
        line_rank=1,
    ),
    Option(
        key="tile.augment",
        since="2026-11-21 11:38",
        explanation="how tiles are turned and mirrored",
        resolved=lambda job: job.tiles.augment,
        requested=lambda job: job.config.tile.augment,
        frozen=lambda job: job.tiles.augment,
        old_default="none",
        in_plan=True,
    ),
    Option(
        key="tile.pad",
        since="2026-11-29 13:10",
        explanation="how the raster is padded for an unpadded network, or for blended tiles",
        resolved=lambda job: job.tiles.pad,
        requested=lambda job: job.config.tile.pad,
        frozen=lambda job: job.tiles.pad,
        old_default="none",
    ),
)
