"""What a finished store gets beside its blocks: exports, report and certificate.

Nothing here needs a network, but for making a certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pipeline.exports import sidecars, write_exports
from pipeline.locations import Place
from pipeline.reports import page
from pipeline.running.report import Report
from pipeline.runtime.background import start_in_background
from pipeline.statistics.records import delete_records
from pipeline.store import shards
from pipeline.store.files import files_at
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.respec import read_spec
from pipeline.store.spec import StoreSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was written beside a complete store, and what its page will show."""

    files: dict[str, Place]
    """The exports, by what a report calls them."""
    parts: Future[page.PageParts] | None = None
    """None where no page is wanted."""


def write_outputs(
    path: Place, spec: StoreSpec, meta: dict[str, Any], unchanged: bool = False, wants_page: bool = False
) -> Outputs:
    """Mark a store complete and write its exports, and read what its page shows beside that.

    The notes of shards and the records of a pass go first and the exports come last: stopped anywhere and begun again,
    it gives the same bytes.

    Parameters
    ----------
    path
        Of a store whose blocks and overviews are all committed.
    spec, meta
        Its spec, and what its root says of it.
    unchanged
        No pixel was written since the exports that are there were.
    wants_page
        As ``output.report`` says.
    """
    shards.delete_shard_notes(path)
    delete_records(path)
    sidecars.finish_store(path, spec, meta)
    if not wants_page:
        return Outputs(files=write_exports(path, spec, meta, unchanged))
    parts = start_in_background(partial(_page_parts, path), "page")
    return Outputs(files=write_exports(path, spec, meta, unchanged), parts=parts)


def _page_parts(path: Place) -> page.PageParts:
    return page.read_parts(path, read_spec(path), read_store_meta(path), complete=True)


def write_report(report: Report, written: Place, files: Mapping[str, Place]) -> Report:
    """Write a report that names the files beside the store."""
    every = {"store": report.store, "report": str(written), **{name: str(file) for name, file in files.items()}}
    report = replace(report, files=every)
    files_at(written.parent).put(written.name, report.text().encode())
    return report


def write_report_and_page(path: Place, report: Report, outputs: Outputs, wants_page: bool) -> Report:
    """Write the report of a run, and the page that is made of it; without a page, none of an earlier run is left.

    Parameters
    ----------
    path
        Of the store.
    report
        What a run did, whether all blocks are there or some have failed.
    outputs
        What lies beside the store, and what its page shows.
    wants_page
        As ``output.report`` says.
    """
    report_path = path.with_suffix(".report.json")
    if not wants_page:
        page.delete_page(path)
        return write_report(report, report_path, outputs.files)
    report = write_report(report, report_path, {**outputs.files, "page": page.page_place(path)})
    page.write_page(path, None if outputs.parts is None else outputs.parts.result())
    return report


def with_certificate(
    path: Place,
    report: Report,
    verify: Callable[[], dict[str, Any]],
    say: Callable[[str], None],
    note: Callable[[dict[str, Any]], None] | None = None,
) -> Report:
    """The report with a certificate that passes.

    Parameters
    ----------
    path
        Of the store.
    report
        Its certificate is kept where it passed; nothing was written since.
    verify
        Makes a certificate: it infers.
    say
        Told why a certificate neither passes nor fails.
    note
        Given a new certificate once it is published.

    Raises
    ------
    CertificateError
        The certificate does not pass.
    """
    made = report.certificate
    if not (made and made["passed"]):
        # they need torch, and a store is finished without
        from pipeline.quality.verify.certificate import publish, require_passed

        made = verify()
        publish(path, made)
        if "page" in report.files:
            page.write_page(path)
        if note is not None:
            note(made)
        require_passed(path, made)
        if made["passed"] is None:
            say(made["why"])
    return replace(report, certificate=made if made["passed"] else None)
