"""The certificate of a store: what was looked at, what was found, and whether it passes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pipeline.errors import CertificateError
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.quality.verify.coverage import OUTSIDE, CoverageResult
from pipeline.quality.verify.faults import Faults, StoreFault
from pipeline.quality.verify.logit_differences import SEAM_DISTANCE_PX, logit_std
from pipeline.quality.verify.seam_check import SeamCheck
from pipeline.quality.verify.verdict import SeamLimit, is_within, verdict_text
from pipeline.quality.verify.wide_halo_reference import ReferenceHalo
from pipeline.store.cleaned import NOTE
from pipeline.store.files import files_at
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import write_certificate

CERTIFICATE_VERSION = 1
OUTCOMES = {True: "passed", False: "FAILED", None: "cannot judge"}
Certificate = dict[str, Any]
"""As it stands in the store and in the report."""


def incomplete_certificate(coverage: CoverageResult) -> Certificate:
    """Of a store in which blocks are missing or not as they were committed; no seam was looked at."""
    whole = coverage.committed == coverage.blocks
    reason = "not everything is as it was committed: " if whole else "it is not complete: "
    return _document(False, f"{reason}{coverage.faults.summary()}", coverage, coverage.faults)


def full_certificate(
    job: Job, coverage: CoverageResult, check: SeamCheck, allowed: SeamLimit, seed: int, requested: int
) -> Certificate:
    """Of a store that is covered, after windows were looked at."""
    quantity, has_labels = _quantity(job, check), job.task.recipe.has_classes
    unit = f"standard deviations of the {quantity}"
    std, reference = logit_std(check.seams, check.control), check.reference
    passed: bool | None = not check.faults.count and is_within(allowed, check.seams, check.control)
    if check.faults.count:
        below = (
            "the level below makes of them"
            if all(fault.level for fault in check.faults)
            else "the network makes of the source"
        )
        reason = f"blocks are not what {below}: {check.faults.summary()}"
    elif requested and not reference.is_sufficient and check.seams.windows:
        passed, reason = None, _no_verdict_reason(job, reference)
    elif requested:
        reason = verdict_text(allowed, check.seams, check.control, quantity, has_labels=has_labels)
    else:
        reason = "every chunk is as it was committed; no seam was looked at, since no window was asked for"
    return {
        **_document(passed, reason, coverage, check.faults),
        "windows": {"asked": requested, "seed": seed, "side": reference.side},
        "promise": asdict(allowed),
        "unit": unit,
        "std": float(f"{std:.6g}"),
        "reference": {"halo": reference.halo, "wanted": reference.target, "of_the_run": job.plan.tiles.halo},
        "seams": _errors(check.seams.document(std, by_distance=True), has_labels),
        "control": _errors(check.control.document(std, by_distance=False), has_labels),
        **(
            {"labels": asdict(check.labels)}
            if has_labels
            else {"values": {"pixels": check.labels.pixels, "differ": check.labels.differ}}
        ),
    }


def _quantity(job: Job, check: SeamCheck) -> str:
    """What is compared, in words; of numbers those of the channel that is the furthest off."""
    recipe = job.task.recipe
    if recipe.has_classes:
        return "probabilities" if recipe.decoding_after_blend.activation == "none" else "logits"
    name = recipe.values.channels[check.channels.worst()] if check.channels else ""
    numbers = "values" if recipe.decoding_after_blend.activation == "none" else "logits"
    return f"{numbers} of {name}" if name else numbers


def _no_verdict_reason(job: Job, reference: ReferenceHalo) -> str:
    size = job.network.accepts.maximum
    limit = f"the network takes {size} px at most" if size is not None else "execution.memory allows no larger one"
    compared = "labels that were inferred again" if job.task.recipe.has_classes else "values that were inferred again"
    return (
        f"cannot judge the seams: a reference must look {reference.minimum} px beyond its window, as the "
        f"run's halo and the network do, but "
        f"{limit}, which leaves "
        f"{reference.halo} px. Every chunk is as it was committed, and the {compared} "
        f"are those of the store; no certificate is given"
    )


def publish(store: Place, certificate: Certificate) -> Place:
    """Write it into the store and into the report beside it, whatever else that says; returns the report.

    What could not be judged is no certificate.

    Raises
    ------
    StoreError
        The store cannot be written.
    """
    judged = certificate if certificate["passed"] is not None else None
    write_certificate(store, judged)
    report_path = store.with_suffix(".report.json")
    try:
        report = json.loads(files_at(report_path.parent).get(report_path.name) or b"")
    except (OSError, ValueError):
        report = {}
    report = report if isinstance(report, dict) else {}
    files_at(report_path.parent).put(
        report_path.name, f"{json.dumps({**report, 'store': str(store), 'certificate': judged}, indent=2)}\n".encode()
    )
    return report_path


def require_passed(store: Place, certificate: Certificate) -> None:
    """Raise CertificateError where it does not pass."""
    if certificate["passed"] is not False:
        return
    raise CertificateError(f"The certificate of {store} failed: {certificate['why']}. {_advice(store, certificate)}")


def _advice(store: Place, certificate: Certificate) -> str:
    """What to change."""
    faults, rerun = certificate["faults"], "Run the job again, which does what is missing; status tells how far it is."
    if not faults:
        blended = certificate["reference"]["of_the_run"] is None
        more = "more tile.overlap or a larger tile.size" if blended else "a wider tile.halo"
        return f"Give {more} and run with --fresh, or a tolerance that it keeps."
    first = next((fault for fault in faults if not fault["why"].startswith("not committed")), None)
    if first is None:
        return rerun
    if OUTSIDE in first["why"]:
        return "Delete the chunks that are named, or run the job with --fresh to make the store anew."
    if first.get("layer") == "instances":
        return f"To make the label image anew, run wholecloth export {store} --to zarr-labels --overwrite."
    if "layer" in first:
        return (
            f"To make the layer {first['layer']} anew of the mask, delete {store / NOTE} and run the job again, "
            f"or finish the store."
        )
    if first["block"] is None or ("seams" in certificate and not first["level"]):
        return (
            "Run the job with --fresh to make the store anew, or put back the store, the source or the "
            "network that it was made with."
        )
    record = Ledger(store, first["level"]).place(tuple(first["block"]))
    return (
        f"To make one block anew, delete its commit record ({store / record} for the first) and the chunks "
        f"that are named, and run the job again; "
        "or run it with --fresh."
    )


def certificate_rows(store: Place, certificate: Certificate) -> list[tuple[str, str]]:
    """For a person: rows of a name and a sentence."""
    coverage = certificate["coverage"]
    rows = [
        ("store", f"{store}, {OUTCOMES[certificate['passed']]}"),
        ("why", certificate["why"]),
        (
            "coverage",
            f"{coverage['committed']:,} of {coverage['blocks']:,} blocks are committed, "
            f"{coverage['chunks']:,} chunks were read",
        ),
        *[
            ("", str(StoreFault(**{**fault, "block": fault["block"] and tuple(fault["block"])})))
            for fault in certificate["faults"]
        ],
    ]
    return rows if "seams" not in certificate else [*rows, *_measurement_rows(certificate)]


def _measurement_rows(certificate: Certificate) -> list[tuple[str, str]]:
    seams, reference = certificate["seams"], certificate["reference"]
    near = (
        f"within {SEAM_DISTANCE_PX} px {_difference_text(seams['near'], certificate)}; further away "
        f"{_difference_text(seams['away'], certificate)}"
    )
    narrowed = (
        f", of {reference['wanted']} px that it should have: memory or the network's largest input"
        if reference["halo"] < reference["wanted"]
        else ""
    )
    return [
        (
            "reference",
            f"a halo of {reference['halo']} px around windows of {certificate['windows']['side']} px, seed "
            f"{certificate['windows']['seed']}{narrowed}",
        ),
        ("seams", f"{seams['windows']} windows: {near}" if seams["windows"] else "none"),
        (
            "control",
            f"{certificate['control']['windows']} windows far from seams: "
            f"{_difference_text(certificate['control'], certificate)}",
        ),
        _stored_row(certificate),
        ("unit", certificate["unit"]),
    ]


def _errors(document: dict[str, Any], has_labels: bool) -> dict[str, Any]:
    """Errors of windows; without counts of labels where there are none."""
    if has_labels:
        return document
    parts = {name: _errors(part, has_labels) if isinstance(part, dict) else part for name, part in document.items()}
    return {name: part for name, part in parts.items() if name != "flips"}


def _stored_row(certificate: Certificate) -> tuple[str, str]:
    """What was compared with the store: labels, or the values of a store without a mask."""
    if "labels" not in certificate:
        values = certificate["values"]
        return "values", f"{values['pixels']:,} px compared with the store: {values['differ']} differ"
    labels = certificate["labels"]
    return (
        "labels",
        f"{labels['pixels']:,} compared with the store: {labels['differ']} differ, {labels['ties']} of them ties",
    )


def _difference_text(values: dict[str, Any], certificate: Certificate) -> str:
    largest = "not finite" if values["max"] is None else f"max {values['max']:.1e}, rms {values['rms']:.1e}"
    if "labels" not in certificate:
        return f"{largest}, {values['pixels']:,} px"
    return f"{largest}, {values['flips']:,} of {values['pixels']:,} labels differ"


def _fault_document(fault: StoreFault) -> dict[str, Any]:
    document = {**asdict(fault), "block": fault.block and list(fault.block)}
    return {name: value for name, value in document.items() if name != "layer" or value is not None}


def _document(passed: bool | None, reason: str, coverage: CoverageResult, faults: Faults) -> Certificate:
    counts = {name: getattr(coverage, name) for name in ("blocks", "committed", "chunks", "missing")}
    listed = [_fault_document(fault) for fault in faults]
    return {
        "version": CERTIFICATE_VERSION,
        "passed": passed,
        "why": reason,
        "coverage": counts,
        "fault_count": faults.count,
        "faults": listed,
    }
