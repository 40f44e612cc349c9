"""Options of the machine that decide a byte."""

from __future__ import annotations

from pipeline.planning.option import AUTO, Option, Resolved
from pipeline.planning.options.dates import FIRST_STORES


def _frozen_device(job: Resolved) -> str:
    device = job.config.execution.device
    return job.device if device == AUTO else device


def _requested_compilation(job: Resolved) -> bool:
    return job.config.execution.requested_runtime == "compile"


def _requested_runtime(job: Resolved) -> str:
    """What is asked for, where it is another one than runs: stores of before do not name theirs."""
    requested = job.config.execution.runtime
    return AUTO if requested == job.recipe.runtime else requested


EXECUTION_OPTIONS: tuple[Option, ...] = (
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
        explanation="order of a tile's numbers in memory: channels_last, or contiguous of narrow networks of single "
        "pixels; no field of the config",
        resolved=lambda job: job.recipe.memory_format,
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
        key="execution.crop",
        since="2026-11-30 21:00",
        explanation="whether halos are cropped on their way through the network",
        resolved=lambda job: job.recipe.crop,
        requested=lambda job: job.config.execution.crop and AUTO,
        frozen=lambda job: job.recipe.crop,
        locked=lambda job: job.config.execution.crop,
        old_default=False,
        in_recipe=True,
    ),
    Option(
        key="execution.compile",
        since="2026-11-21 22:25",
        explanation="whether torch.compile compiles the network",
        resolved=lambda job: job.recipe.compile,
        requested=_requested_compilation,
        frozen=lambda job: job.recipe.compile,
        old_default=False,
        in_recipe=True,
    ),
    Option(
        key="execution.runtime",
        since="2026-11-30 16:00",
        explanation="what runs the network: torch, or kernels that round otherwise",
        resolved=lambda job: job.recipe.runtime,
        requested=_requested_runtime,
        frozen=lambda job: job.recipe.runtime,
        old_default="torch",
        in_recipe=True,
        in_plan=True,
    ),
    Option(
        key="execution.runtime_release",
        field="execution.runtime",
        since="2026-11-30 16:00",
        explanation="release of OpenVINO, whose kernels round in their own way; empty of other runtimes",
        resolved=lambda job: job.recipe.runtime_release,
        old_default="",
        in_fingerprint=False,
        in_recipe=True,
    ),
)
