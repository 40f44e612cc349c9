"""A plan as one document of plain values, and as rows for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.inspect.invalid_pixels import Invalid, invalid
from pipeline.planning.describe import describe, lines
from pipeline.planning.halo_saving import Saving, saving
from pipeline.planning.job import Job
from pipeline.planning.warnings import warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is measured of a job beside its plan, on a few windows of the raster."""

    saving: Saving | None
    invalid: Invalid
    warnings: tuple[str, ...]


def outlook(job: Job) -> Outlook:
    """Measure what a tolerance would save, how many pixels are invalid, and whether network and raster fit each other."""
    return Outlook(saving=saving(job), invalid=invalid(job.source), warnings=warnings(job))


def document(job: Job, beside: Outlook | None = None) -> dict[str, Any]:
    """Everything that was decided and measured, in plain values.

    Parameters
    ----------
    job
        Prepared.
    beside
        What was measured of it already.
    """
    measured = beside or outlook(job)
    return {
        **describe(job),
        "saving": asdict(measured.saving) if measured.saving else None,
        "warnings": list(measured.warnings),
        "invalid": asdict(measured.invalid),
    }


def rows(job: Job, measured: Outlook) -> list[tuple[str, str]]:
    """The same as label and text."""
    raster, *others = lines(job)
    return [
        raster,
        ("invalid", str(measured.invalid)),
        *others,
        *([("saving", str(measured.saving))] if measured.saving else []),
        *(("warning", text) for text in measured.warnings),
    ]
