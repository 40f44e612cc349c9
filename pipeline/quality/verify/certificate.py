"""The certificate of a store: what was looked at, what was found, and whether it passes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pipeline.errors import CertificateError
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.quality.verify.coverage import OUTSIDE, Coverage
from pipeline.quality.verify.faults import Fault, Faults
from pipeline.quality.verify.logit_differences import NEAR, spread
from pipeline.quality.verify.seam_check import Examination
from pipeline.quality.verify.verdict import Promise, kept, why
from pipeline.quality.verify.wide_halo_reference import Frame
from pipeline.store.files import Files
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import certify

VERSION = 1
OUTCOMES = {True: "passed", False: "FAILED", None: "cannot judge"}
Certificate = dict[str, Any]
"""As it stands in the store and in the report."""


def uncovered(found: Coverage) -> Certificate:
    """Of a store in which blocks are missing or not as they were committed; no seam was looked at."""
    whole = found.committed == found.blocks
    said = "not everything is as it was committed: " if whole else "it is not complete: "
    return _document(False, f"{said}{found.faults.said()}", found, found.faults)


def examined(job: Job, found: Coverage, seen: Examination, promise: Promise, seed: int, asked: int) -> Certificate:
    """Of a store that is covered, after windows were looked at."""
    what = "probabilities" if job.task.recipe.averages_probabilities else "logits"
    unit = f"standard deviations of the {what}"
    std, around = spread(seen.seams, seen.control), seen.around
    passed: bool | None = not seen.faults.count and kept(promise, seen.seams, seen.control)
    if seen.faults.count:
        below = "the level below makes of them" if all(fault.level for fault in seen.faults) else "the network makes of the source"
        said = f"blocks are not what {below}: {seen.faults.said()}"
    elif asked and not around.judges and seen.seams.windows:
        passed, said = None, _unjudged(job, around)
    elif asked:
        said = why(promise, seen.seams, seen.control, what)
    else:
        said = "every chunk is as it was committed; no seam was looked at, since no window was asked for"
    return {
        **_document(passed, said, found, seen.faults),
        "windows": {"asked": asked, "seed": seed, "side": around.side},
        "promise": asdict(promise),
        "unit": unit,
        "std": float(f"{std:.6g}"),
        "reference": {"halo": around.halo, "wanted": around.wanted, "of_the_run": job.plan.tiles.halo},
        "seams": seen.seams.document(std, apart=True),
        "control": seen.control.document(std, apart=False),
        "labels": asdict(seen.labels),
    }


def _unjudged(job: Job, around: Frame) -> str:
    size = job.network.accepts.maximum
    limit = f"the network takes {size} px at most" if size is not None else "execution.memory allows no larger one"
    return (
        f"cannot judge the seams: a reference must look {around.least} px beyond its window, as the run's halo and the network do, but {limit}, which leaves "
        f"{around.halo} px. Every chunk is as it was committed, and the labels that were inferred again are those of the store; no certificate is given"
    )


def publish(store: Place, made: Certificate) -> Place:
    """Write it into the store and into the report beside it, whatever else that says; returns the report. What could not be judged is no certificate.

    Raises
    ------
    StoreError
        The store cannot be written.
    """
    judged = made if made["passed"] is not None else None
    certify(store, judged)
    beside = store.with_suffix(".report.json")
    try:
        report = json.loads(Files(beside.parent).get(beside.name) or b"")
    except (OSError, ValueError):
        report = {}
    report = report if isinstance(report, dict) else {}
    Files(beside.parent).put(beside.name, f"{json.dumps({**report, 'store': str(store), 'certificate': judged}, indent=2)}\n".encode())
    return beside


def demand(store: Place, made: Certificate) -> None:
    """Raise CertificateError where it does not pass."""
    if made["passed"] is not False:
        return
    raise CertificateError(f"The certificate of {store} failed: {made['why']}. {_advice(store, made)}")


def _advice(store: Place, made: Certificate) -> str:
    """What to change."""
    faults, again = made["faults"], "Run the job again, which does what is missing; status tells how far it is."
    if not faults:
        blended = made["reference"]["of_the_run"] is None
        more = "more tile.overlap or a larger tile.size" if blended else "a wider tile.halo"
        return f"Give {more} and run with --fresh, or a tolerance that it keeps."
    first = next((fault for fault in faults if not fault["why"].startswith("not committed")), None)
    if first is None:
        return again
    if OUTSIDE in first["why"]:
        return "Delete the chunks that are named, or run the job with --fresh to make the store anew."
    if first["block"] is None or ("seams" in made and not first["level"]):
        return "Run the job with --fresh to make the store anew, or put back the store, the source or the network that it was made with."
    record = Ledger(store, first["level"]).place(tuple(first["block"]))
    return (
        f"To make one block anew, delete its commit record ({store / record} for the first) and the chunks that are named, and run the job again; "
        "or run it with --fresh."
    )


def lines(store: Place, made: Certificate) -> list[tuple[str, str]]:
    """For a person: rows of a name and a sentence."""
    found = made["coverage"]
    rows = [
        ("store", f"{store}, {OUTCOMES[made['passed']]}"),
        ("why", made["why"]),
        ("coverage", f"{found['committed']:,} of {found['blocks']:,} blocks are committed, {found['chunks']:,} chunks were read"),
        *[("", str(Fault(**{**fault, "block": fault["block"] and tuple(fault["block"])}))) for fault in made["faults"]],
    ]
    return rows if "seams" not in made else [*rows, *_measured(made)]


def _measured(made: Certificate) -> list[tuple[str, str]]:
    seams, labels, around = made["seams"], made["labels"], made["reference"]
    near = f"within {NEAR} px {_difference(seams['near'])}; further away {_difference(seams['away'])}"
    narrowed = f", of {around['wanted']} px that it should have: memory or the network's largest input" if around["halo"] < around["wanted"] else ""
    return [
        ("reference", f"a halo of {around['halo']} px around windows of {made['windows']['side']} px, seed {made['windows']['seed']}{narrowed}"),
        ("seams", f"{seams['windows']} windows: {near}" if seams["windows"] else "none"),
        ("control", f"{made['control']['windows']} windows far from seams: {_difference(made['control'])}"),
        ("labels", f"{labels['pixels']:,} compared with the store: {labels['differ']} differ, {labels['ties']} of them ties"),
        ("unit", made["unit"]),
    ]


def _difference(said: dict[str, Any]) -> str:
    largest = "not finite" if said["max"] is None else f"max {said['max']:.1e}, rms {said['rms']:.1e}"
    return f"{largest}, {said['flips']:,} of {said['pixels']:,} labels differ"


def _document(passed: bool | None, said: str, found: Coverage, faults: Faults) -> Certificate:
    counts = {name: getattr(found, name) for name in ("blocks", "committed", "chunks", "missing")}
    named = [{**asdict(fault), "block": fault.block and list(fault.block)} for fault in faults]
    return {"version": VERSION, "passed": passed, "why": said, "coverage": counts, "fault_count": faults.count, "faults": named}
