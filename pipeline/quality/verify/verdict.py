"""What was promised of a store's seams, and whether it was kept."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.planning.job import Job
from pipeline.quality.verify.logit_differences import TIES, Tally, spread

OVER = 3.0
"""Times the error at centres that a seam may reach where rounding is coarse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How far logits may be from the reference."""

    kind: str
    """``exact``, ``tolerance``, ``asked`` (on the command line) or ``none``."""
    limit: float | None
    """Standard deviations of the logits; None where nothing was promised."""


def promised(job: Job, asked: float | None, control: Tally) -> Promise:
    """What a plan promises.

    An unproven network is held to its measured radius: the certificate is the evidence. In half precision, seams are exact
    where they are as far from the reference as centres are.
    """
    tiles, locality, precision = job.plan.tiles, job.locality, job.task.recipe.precision
    tolerance = tiles.tolerated.tolerance if tiles.tolerated else None
    if asked is not None:
        return Promise(kind="asked", limit=asked)
    if tiles.exact or (locality.verdict == "unproven" and locality.radius and tiles.halo is not None and tiles.halo >= locality.radius.largest):
        noise = 0.0 if precision == "float32" else OVER * control.largest / spread(control)
        return Promise(kind="exact", limit=max(TIES[precision], noise))
    return Promise(kind="none", limit=None) if tolerance is None else Promise(kind="tolerance", limit=tolerance)


def why(promise: Promise, seams: Tally, control: Tally, what: str) -> str:
    """One sentence for people of the logits or the probabilities."""
    unit = f"standard deviations of the {what}"
    std = spread(seams, control)
    flips, pixels = seams.near.flips + seams.away.flips, seams.near.pixels + seams.away.pixels
    compared = f"at most {control.largest / std:.1e} at {control.windows} places far from seams"
    if not seams.windows:
        return f"no seam was looked at, since {_none(control)}" + (f"; {compared}, in {unit}" if control.windows else "")
    furthest = f"at {seams.windows} seams the {what} are at most {seams.largest / std:.1e} {unit} from the reference"
    said = f"{furthest}, {compared}; {flips:,} of {pixels:,} labels differ"
    if promise.kind == "none":
        return f"nothing was promised of the seams: {said}"
    kept = promise.limit is not None and seams.largest / std <= promise.limit
    words = {"exact": "tiled equals whole", "tolerance": "the tolerance is kept", "asked": "the tolerance asked for is kept"}
    broken = {"exact": "tiled does not equal the whole", "tolerance": "the tolerance is not kept", "asked": "the tolerance asked for is not kept"}
    return f"{(words if kept else broken)[promise.kind]}, within {promise.limit:g}: {said}"


def kept(promise: Promise, seams: Tally, control: Tally) -> bool:
    """Whether seams are as promised."""
    return promise.limit is None or seams.largest / spread(seams, control) <= promise.limit


def _none(control: Tally) -> str:
    return "one tile covers all of it" if control.windows else "no pixel that was drawn is valid"
