"""Options of the store: blocks, files and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.planning.channels import values_sentence
from pipeline.planning.option import AUTO, Option, Resolved
from pipeline.planning.options.dates import FIRST_STORES


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


OUTPUT_OPTIONS: tuple[Option, ...] = (
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
)
