"""What is left to do when the blocks of a store are all there.

By its own word, without source, weights or a network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.config.families import ENGINE_FACTS, EngineFacts
from pipeline.config.private_names import require_no_stand_ins
from pipeline.config.trust import TRUST_OVERRIDE
from pipeline.engines import KINDS as ENGINES
from pipeline.errors import Unfinished
from pipeline.locations import Place, Remote
from pipeline.postprocess.cleaning import Cleaning, is_layer_current, make_cleaned, stored_cleaning
from pipeline.reports.page import is_wanted
from pipeline.running.outputs import with_certificate, write_outputs, write_report_and_page
from pipeline.running.report import Report
from pipeline.running.resume_check import check_before_resume
from pipeline.runtime import resources
from pipeline.store import lifecycle as store
from pipeline.store import overviews
from pipeline.store.cleaned import ROOT_KEY
from pipeline.store.files.outage import outage_as_unfinished
from pipeline.store.invalid_counts import counts
from pipeline.store.lease.lease import acquire, assert_held, holders
from pipeline.store.ledger import Ledger
from pipeline.store.respec import read_spec
from pipeline.store.shards import unreported_shards
from pipeline.store.spec import StoreSpec

_Say = Callable[[str], None]
_Count = Callable[[int, int], None]


def complete_store(
    path: Place,
    say: _Say,
    count: _Count = lambda done, total: None,
    source: str | None = None,
    trust: bool = False,
) -> Report:
    """Make overviews, the layer ``cleaned``, sidecars, picture and report, and mark the store complete.

    The store is certified where its config wants that.

    Only the certificate needs the source and the network. Stopped anywhere and begun again, it gives the same bytes.

    Parameters
    ----------
    path
        Of the store.
    say
        Told how far it is.
    count
        Told the blocks of overviews that are done, and all of them.
    source
        Where the source lies now, for a certificate.
    trust
        Run code that the model's description brings or names, for a certificate.

    Raises
    ------
    ConfigError
        The store wants a certificate and keeps its source to itself, and none is given.
    Unfinished
        Blocks are missing, somebody is at work on the store, or it was stopped.
    StoreError
        There is no store of ours, or it is damaged.
    CertificateError
        The certificate that the config wants does not pass.
    """
    store.clear_open_arrays()
    with outage_as_unfinished(path):
        _require_source(path, source)
        certify = partial(_ensure_certificate, path, say=say, source=source, trust=trust)
        return _finish_held_store(path, read_spec(path).inferred, say, count, certify)


def _require_source(path: Place, source: str | None) -> None:
    """Raise ConfigError now, rather than when all else is done, where a certificate needs a source that is unknown."""
    meta = store.read_store_meta(path)
    if source is None and meta["config"]["output"].get("certificate") and "given" in meta:
        require_no_stand_ins(meta["given"], path)


def _finish_held_store(
    path: Place, spec: StoreSpec, say: _Say, count: _Count, certify: Callable[[Report], Report]
) -> Report:
    _require_all_blocks(path)  # who waits for others is told of them before they are asked whether they are alive
    with acquire(path, None, "finish", say):
        meta = store.read_store_meta(path)
        check_before_resume(path, spec, not meta.get("complete"), say)
        blocks = _require_all_blocks(path, is_locked=True)
        unchanged = not build_missing(path, spec, meta, say, count) and bool(meta.get("complete"))
        assert_held(path)
        report = publish_finished(path, spec, blocks, unchanged)
        return certify(report) if meta["config"]["output"].get("certificate") else report


def _require_all_blocks(path: Place, is_locked: bool = False) -> int:
    """How many blocks there are; raises Unfinished where some are missing."""
    meta = store.read_store_meta(path, "blocks")
    rows, cols = meta["blocks"]
    blocks: int = meta.get("asked", rows * cols)
    missing = blocks - Ledger(path).count()
    if missing > 0:
        hint = _missing_blocks_hint(path, is_locked)
        raise Unfinished(
            f"{path} lacks {missing:,} of its {blocks:,} blocks, so that it cannot be finished yet. {hint} "
            f"Then finish it again; or let "
            "wholecloth run CONFIG, without --shard, do all that is missing and finish as well."
        )
    return blocks


def _missing_blocks_hint(path: Place, is_locked: bool) -> str:
    """What is known of the runs that should have made what is missing."""
    # it would be ourselves
    at_work = [] if is_locked else [holder["work"] for holder in holders(path) if holder["alive"] is not False]
    if at_work:
        return (
            f"At work, by their own word: "
            f"{', '.join(at_work[:5])}{' and others' if len(at_work) > 5 else ''}; wait until they are through."
        )
    unreported = unreported_shards(path)
    if unreported is None:
        return "No shard has left a note in it: run the job's shards, wholecloth run CONFIG --shard i/n."
    count, shards = unreported
    if not shards:
        return (
            f"All {count} shards have reported that they are through, so what they made has vanished "
            f"since: run them again."
        )
    numbers = ", ".join(map(str, shards[:20])) + (f" and {len(shards) - 20} more" if len(shards) > 20 else "")
    return (
        f"Of {count} shards, these have not reported that they are through: {numbers}. Run wholecloth "
        f"run CONFIG --shard i/{count} for each."
    )


def build_missing(
    path: Place, spec: StoreSpec, meta: dict[str, Any], say: _Say, count: _Count, cleaning: Cleaning | None = None
) -> bool:
    """Make what is missing of the overviews and of the layer ``cleaned``; whether anything was.

    Parameters
    ----------
    path, spec
        Of a store that is held, without its derived layers.
    meta
        What its root says.
    say
        Told how far it is.
    count
        As for `complete_store`.
    cleaning
        How the layer is made; by default as the store says.
    """
    block = meta["tiles"]["block"] if "asked" in meta else None
    cleaning = cleaning or stored_cleaning(spec, meta)
    lacks_overviews = any(True for level in overviews.levels(path, spec, block) for _ in level.missing())
    lacks_cleaned = cleaning is not None and not is_layer_current(path, spec, cleaning, block)
    if not (lacks_overviews or lacks_cleaned):
        return False
    facts = ENGINE_FACTS.get(meta["config"]["execution"].get("engine"), EngineFacts())
    with ENGINES["serial" if facts.sequential else "threads"](resources.cores()) as engine:
        if lacks_overviews:
            say("overviews")
            overviews.build_overviews(path, spec, count, engine=engine, block=block)
        if cleaning is not None and lacks_cleaned:
            make_cleaned(path, spec, cleaning, say, engine=engine, progress=count)
    return True


def publish_finished(path: Place, spec: StoreSpec, blocks: int, unchanged: bool) -> Report:
    """Mark a store complete, and put exports, picture and report beside it.

    Parameters
    ----------
    path, spec
        Of a store that is held, without its derived layers.
    blocks
        Those that it has.
    unchanged
        Nothing was written since it was complete.
    """
    meta = store.read_store_meta(path)
    if not unchanged:
        meta.pop("certificate", None)  # it holds for as long as nothing is written
    store.remove_partials_beside(path)
    wants_page = is_wanted(meta)
    outputs = write_outputs(path, spec.with_cleaned if ROOT_KEY in meta else spec, meta, unchanged, wants_page)
    report = Report(
        store=str(path),
        blocks=blocks,
        resumed=blocks,
        done=0,
        empty=0,
        whole=_whole(path),
        peak_memory=resources.peak_resident(),
        certificate=meta.get("certificate"),
        made=meta.get("id", ""),
    )
    return write_report_and_page(path, report, outputs, wants_page)


def _whole(path: Place) -> dict[str, Any] | None:
    """Pixels of all blocks, and the invalid ones, by their records.

    None where these do not say, or where each is a request.
    """
    ledger = Ledger(path)
    total = None if isinstance(path, Remote) else counts(ledger, ledger.listed())
    return None if total is None else total.recorded()


def _ensure_certificate(path: Place, report: Report, say: _Say, source: str | None, trust: bool) -> Report:
    """With a certificate that passes. It infers, which nothing else here does."""

    def verified() -> dict[str, Any]:
        from pipeline.quality.verify.seam_examples import write_examples
        from pipeline.quality.verify.verify import job_of, verify

        job = job_of(path, [TRUST_OVERRIDE] if trust else [], source, say)
        return verify(job, say, keep=partial(write_examples, path))

    return with_certificate(path, report, verified, say)
