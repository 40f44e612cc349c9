"""What was promised of a store's seams, and whether it was kept."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.planning.job import Job
from pipeline.quality.verify.logit_differences import TIES, WindowErrors, logit_std

HALF_PRECISION_FACTOR = 3.0
"""Times the error at centres that a seam may reach where rounding is coarse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeamLimit:
    """How far logits may be from the reference."""

    kind: str
    """``exact``, ``tolerance``, ``asked`` (on the command line) or ``none``."""
    limit: float | None
    """Standard deviations of the logits; None where nothing was promised."""


def seam_limit(job: Job, requested: float | None, control: WindowErrors) -> SeamLimit:
    """What a plan promises.

    An unproven network is held to its measured radius: the certificate is the evidence. In half precision, seams are
    exact where they are as far from the reference as centres are.
    """
    tiles, locality, precision = job.plan.tiles, job.locality, job.task.recipe.precision
    tolerance = tiles.tolerated.tolerance if tiles.tolerated else None
    if requested is not None:
        return SeamLimit(kind="asked", limit=requested)
    if tiles.exact or (
        locality.verdict == "unproven"
        and locality.radius
        and tiles.halo is not None
        and tiles.halo >= locality.radius.largest
    ):
        noise = 0.0 if precision == "float32" else HALF_PRECISION_FACTOR * control.largest / logit_std(control)
        return SeamLimit(kind="exact", limit=max(TIES[precision], noise))
    return SeamLimit(kind="none", limit=None) if tolerance is None else SeamLimit(kind="tolerance", limit=tolerance)


def verdict_text(
    allowed: SeamLimit, seams: WindowErrors, control: WindowErrors, quantity: str, *, has_labels: bool = True
) -> str:
    """One sentence for people of the logits, the probabilities or the values, and of the labels where there are any."""
    unit = f"standard deviations of the {quantity}"
    std = logit_std(seams, control)
    flips, pixels = seams.near.flips + seams.far.flips, seams.near.pixels + seams.far.pixels
    compared = f"at most {control.largest / std:.1e} at {control.windows} places far from seams"
    if not seams.windows:
        return f"no seam was looked at, since {_no_seam_reason(control)}" + (
            f"; {compared}, in {unit}" if control.windows else ""
        )
    furthest = (
        f"at {seams.windows} seams the {quantity} are at most {seams.largest / std:.1e} {unit} from the reference"
    )
    labels = f"; {flips:,} of {pixels:,} labels differ" if has_labels else f"; {pixels:,} px were compared"
    comparison = f"{furthest}, {compared}{labels}"
    if allowed.kind == "none":
        return f"nothing was promised of the seams: {comparison}"
    passed = allowed.limit is not None and seams.largest / std <= allowed.limit
    fulfilled = {
        "exact": "tiled equals whole",
        "tolerance": "the tolerance is kept",
        "asked": "the tolerance asked for is kept",
    }
    broken = {
        "exact": "tiled does not equal the whole",
        "tolerance": "the tolerance is not kept",
        "asked": "the tolerance asked for is not kept",
    }
    return f"{(fulfilled if passed else broken)[allowed.kind]}, within {allowed.limit:g}: {comparison}"


def is_within(allowed: SeamLimit, seams: WindowErrors, control: WindowErrors) -> bool:
    """Whether seams are as promised."""
    return allowed.limit is None or seams.largest / logit_std(seams, control) <= allowed.limit


def _no_seam_reason(control: WindowErrors) -> str:
    return "one tile covers all of it" if control.windows else "no pixel that was drawn is valid"
