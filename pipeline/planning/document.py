"""A plan as one document of plain values, and as rows for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.inspect.invalid_pixels import Invalid, invalid
from pipeline.planning.describe import describe
from pipeline.planning.halo_saving import Saving, tolerance_saving
from pipeline.planning.job import Job
from pipeline.planning.pass_cost import PassCost, pass_cost
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.warnings import job_warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMeasurements:
    """What is measured of a job beside its plan, on a few windows of the raster."""

    saving: Saving | None
    invalid: Invalid
    warnings: tuple[str, ...]
    estimate: PassCost | None = None
    """Of the pass for ``model.input.normalise``, where its numbers are not found yet."""


def measure_plan(job: Job) -> PlanMeasurements:
    """Measure what a tolerance would save, and how many pixels are invalid.

    It is measured as well whether network and raster fit each other, and what a pass over the raster would take.
    """
    return PlanMeasurements(
        saving=tolerance_saving(job), invalid=invalid(job.source), warnings=job_warnings(job), estimate=pass_cost(job)
    )


def plan_document(job: Job, measurements: PlanMeasurements | None = None) -> dict[str, Any]:
    """Everything that was decided and measured, in plain values.

    Parameters
    ----------
    job
        Prepared.
    measurements
        What was measured of it already.
    """
    measured = measurements or measure_plan(job)
    return {
        **describe(job),
        "saving": asdict(measured.saving) if measured.saving else None,
        "warnings": list(measured.warnings),
        "invalid": asdict(measured.invalid),
        **({"estimate": asdict(measured.estimate)} if measured.estimate else {}),
    }


def outlook_rows(job: Job, measured: PlanMeasurements) -> list[tuple[str, str]]:
    """The same as label and text."""
    raster, *rest = plan_rows(job)
    return [
        raster,
        ("invalid", str(measured.invalid)),
        *rest,
        *([("estimate", str(measured.estimate))] if measured.estimate else []),
        *([("saving", str(measured.saving))] if measured.saving else []),
        *(("warning", text) for text in measured.warnings),
    ]
