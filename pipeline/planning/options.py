"""The table of all options that decide a byte of a store, in the order of the fingerprint.

The fingerprint, the frozen plan, the recipe in the root of a store, the plan that is printed, and the table in
docs/config.md are made from these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.config import ToleranceConfig
from pipeline.geometry.span import round_up
from pipeline.inference.decode import ClassDecoding
from pipeline.planning.candidates import blend_size, blend_step
from pipeline.planning.channels import values_sentence
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.option import AUTO, NO_DEFAULT, Option, Resolved

FIRST_STORES = "2026-11-21 03:24"
"""When the first stores were made: they have every key that is as old."""
FROZEN_PLANS = "2026-11-21 18:59"
"""When the first plans were frozen: they have every key that is as old."""
MEMORY_FORMAT = "channels_last"
"""In which the network is given its tiles."""


def _input(name: str) -> Callable[[Resolved], Any]:
    """Reader of a part of the normalisation."""
    return lambda job: job.recipe.normalisation.as_dict()[name]


def _transform_sentence(job: Resolved) -> str | None:
    normalisation = job.recipe.normalisation
    if normalisation.transform is None:
        return None
    bands, channels = normalisation.transform.bands, normalisation.channels
    return (
        f"{normalisation.transform.place} changes the raw pixels first: {bands} bands give {channels} "
        f"channels, each pixel by itself"
    )


def _normalise_sentence(job: Resolved) -> str | None:
    stretch = job.recipe.normalisation.stretch
    return None if stretch is None else normalise_sentence(stretch.record, stretch.provisional)


def _activation(job: Resolved) -> str:
    """One text for what turns channels into a class, so that stores made before there was a choice keep theirs."""
    decoding: ClassDecoding = job.recipe.decoding
    if decoding.background is None:
        return decoding.activation
    return f"{decoding.activation} of each class, else code {decoding.codes[decoding.background]}"


def _threshold(job: Resolved) -> float | list[float]:
    threshold = job.recipe.decoding.threshold
    return list(threshold) if isinstance(threshold, tuple) else threshold


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


def _frozen_device(job: Resolved) -> str:
    device = job.config.execution.device
    return job.device if device == AUTO else device


def _of_probabilities(value: Callable[[Resolved], Any], default: Any) -> Callable[[Resolved], Any]:
    """Reader of what only the layer of probabilities depends on: a store without that layer has the default."""
    return lambda job: value(job) if "probabilities" in job.recipe.layers else default


def _of_values(name: str) -> Callable[[Resolved], Any]:
    """Reader of what only the layer of values depends on: a store without that layer has None."""

    def read(job: Resolved) -> Any:
        value = getattr(job.recipe.values, name) if job.recipe.values.channels else None
        return list(value) if isinstance(value, tuple) else value

    return read


def _nodata(job: Resolved) -> int | None:
    """That of the mask; of the values where there is no mask, None of floats."""
    return job.recipe.nodata if job.recipe.has_classes else job.recipe.values.nodata


def _frozen_nodata(job: Resolved) -> int | str:
    nodata = _nodata(job)
    return AUTO if nodata is None else nodata


OPTIONS: tuple[Option, ...] = (
    Option(
        key="model.input.scale",
        since=FIRST_STORES,
        explanation="factor of the raw pixels, per band",
        resolved=_input("scale"),
    ),
    Option(
        key="model.input.offset",
        since=FIRST_STORES,
        explanation="summand after that, per band",
        resolved=_input("offset"),
    ),
    Option(
        key="model.input.mean",
        since=FIRST_STORES,
        explanation="mean that is subtracted after that, per band",
        resolved=_input("mean"),
    ),
    Option(
        key="model.input.std",
        since=FIRST_STORES,
        explanation="divisor after that, per band",
        resolved=_input("std"),
    ),
    Option(
        key="model.input.transform",
        since="2026-11-29 12:57",
        explanation="code that changes the raw pixels first",
        resolved=_input("transform"),
        old_default=None,
        sentence=_transform_sentence,
    ),
    Option(
        key="model.input.normalise",
        since="2026-11-30 08:00",
        explanation="numbers of the raster itself, and what they are of, applied before the factor",
        resolved=_input("normalise"),
        old_default=None,
        sentence=_normalise_sentence,
    ),
    Option(
        key="model.output.activation",
        since=FIRST_STORES,
        explanation="what turns logits into probabilities",
        resolved=_activation,
        frozen=lambda job: job.recipe.decoding.activation,
    ),
    Option(
        key="model.output.threshold",
        since=FIRST_STORES,
        explanation="probability at which one class ends and the next begins",
        resolved=_threshold,
    ),
    Option(
        key="model.classes.codes",
        field="model.classes",
        since=FIRST_STORES,
        explanation="value of each class in the mask",
        resolved=lambda job: list(job.recipe.decoding.codes),
    ),
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
        explanation="how the raster is padded for an unpadded network",
        resolved=lambda job: job.tiles.pad,
        requested=lambda job: job.config.tile.pad,
        frozen=lambda job: job.tiles.pad,
        old_default="none",
    ),
    Option(
        key="output.block",
        since=FIRST_STORES,
        explanation="what one task writes, px",
        resolved=lambda job: job.tiles.block,
        requested=lambda job: job.config.output.block,
        frozen=lambda job: job.tiles.block,
    ),
    Option(
        key="output.shard",
        since=FIRST_STORES,
        explanation="chunks of one file, px",
        resolved=lambda job: job.tiles.shard,
        requested=lambda job: None if job.config.output.shard == "none" else job.config.output.shard,
        frozen=lambda job: job.tiles.shard or "none",
    ),
    Option(
        key="output.chunk",
        since=FIRST_STORES,
        explanation="what a reader decodes at once, px",
        resolved=lambda job: job.tiles.chunk,
        requested=lambda job: job.config.output.chunk,
        frozen=lambda job: job.tiles.chunk,
        line_rank=-1,
    ),
    Option(
        key="output.zarr_format",
        since=FIRST_STORES,
        explanation="version of Zarr",
        resolved=lambda job: job.config.output.zarr_format,
    ),
    Option(
        key="output.layers",
        since=FIRST_STORES,
        explanation="what the store holds of each pixel",
        resolved=lambda job: sorted(job.recipe.layers),
        request_rank=2,
    ),
    Option(
        key="output.min_confidence",
        since="2026-11-21 11:57",
        explanation="probability below which a pixel is nodata",
        resolved=lambda job: job.recipe.min_confidence,
        old_default=0.0,
        request_rank=2,
    ),
    Option(
        key="output.probabilities_dtype",
        since="2026-11-21 11:57",
        explanation="dtype of the layer of probabilities",
        resolved=_of_probabilities(lambda job: job.recipe.probabilities, "uint8"),
        old_default="uint8",
        request_rank=2,
    ),
    Option(
        key="output.probabilities_codes",
        field="output.layers",
        since="2026-11-21 11:57",
        explanation="classes of the layer of probabilities, in its order",
        resolved=_of_probabilities(
            lambda job: [job.recipe.decoding.codes[k] for k in job.recipe.decoding.outcomes], None
        ),
        old_default=None,
        request_rank=2,
    ),
    Option(
        key="output.values_dtype",
        since="2026-11-29 20:40",
        explanation="dtype of the layer of values; none where there is no such layer",
        resolved=_of_values("dtype"),
        old_default=None,
        sentence=lambda job: values_sentence(job.recipe.values),
        request_rank=2,
    ),
    Option(
        key="output.values_scale",
        since="2026-11-29 20:40",
        explanation="what one step of integer values stands for, per channel",
        resolved=_of_values("scale"),
        old_default=None,
        request_rank=2,
    ),
    Option(
        key="output.values_offset",
        since="2026-11-29 20:40",
        explanation="what 0 of integer values stands for, per channel",
        resolved=_of_values("offset"),
        old_default=None,
        request_rank=2,
    ),
    Option(
        key="output.nodata",
        since=FIRST_STORES,
        explanation="value of pixels without a class, or without a number in a store of integer values alone",
        resolved=_nodata,
        requested=lambda job: job.config.output.nodata,
        frozen=_frozen_nodata,
    ),
    Option(
        key="execution.device",
        since=FIRST_STORES,
        explanation="what computes: other devices round otherwise",
        resolved=lambda job: job.device,
        frozen=_frozen_device,
        in_fingerprint=False,
        in_plan=True,
    ),
    Option(
        key="execution.precision",
        since=FIRST_STORES,
        explanation="floats that the network computes with",
        resolved=lambda job: job.recipe.precision,
        requested=lambda job: job.config.execution.precision,
        frozen=lambda job: job.recipe.precision,
        in_recipe=True,
        in_plan=True,
    ),
    Option(
        key="execution.threads",
        field="execution.streams",
        since=FIRST_STORES,
        explanation="intra-op threads of each tile, which may decide ties",
        resolved=lambda job: job.recipe.threads,
        in_fingerprint=False,
        in_recipe=True,
        in_plan=True,
    ),
    Option(
        key="execution.memory_format",
        since=FIRST_STORES,
        explanation="order of a tile's numbers in memory: always channels_last, no field of the config",
        resolved=lambda job: MEMORY_FORMAT,
        in_fingerprint=False,
        in_recipe=True,
    ),
    Option(
        key="execution.fold",
        since="2026-11-21 15:11",
        explanation="whether batch norm is folded into convolutions",
        resolved=lambda job: job.recipe.fold,
        requested=lambda job: job.config.execution.fold and AUTO,
        frozen=lambda job: job.recipe.fold,
        locked=lambda job: job.config.execution.fold,
        old_default=False,
        in_recipe=True,
    ),
    Option(
        key="execution.compile",
        since="2026-11-21 22:25",
        explanation="whether torch.compile compiles the network",
        resolved=lambda job: job.recipe.compile,
        requested=lambda job: job.config.execution.compile,
        frozen=lambda job: job.recipe.compile,
        old_default=False,
        in_recipe=True,
    ),
)
"""Rows in the order of the fingerprint. `AUTO` is never a resolved value."""

FINGERPRINT_OPTIONS = tuple(option for option in OPTIONS if option.in_fingerprint)
RECIPE_OPTIONS = tuple(option for option in OPTIONS if option.in_recipe)
OLD_DEFAULTS: dict[str, Any] = {
    option.key: option.old_default for option in OPTIONS if option.old_default is not NO_DEFAULT
}
"""Values of options in stores that lack them, by key."""


def recipe_of_store(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe in the root of a store, with the values of options that are younger than the store."""
    return {
        **{option.name: option.old_default for option in RECIPE_OPTIONS if option.old_default is not NO_DEFAULT},
        **recipe,
    }


def frozen_fields(section: str) -> list[str]:
    """Names of the fields of a section that a frozen plan decides."""
    return [option.config_field.rpartition(".")[2] for option in OPTIONS if option.section == section and option.frozen]
