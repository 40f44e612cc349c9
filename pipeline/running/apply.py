"""Postprocessing of a store that is there, by its own word: without source, weights or a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.config.postprocess import StepConfig
from pipeline.errors import Unfinished
from pipeline.exports import check_exports
from pipeline.locations import Place
from pipeline.postprocess.cleaning import Cleaning, resolve_cleaning
from pipeline.running.finish import build_missing, publish_finished
from pipeline.running.report import Report
from pipeline.running.resume_check import check_before_resume
from pipeline.store import lifecycle as store
from pipeline.store.files.outage import outage_as_unfinished
from pipeline.store.lease.lease import acquire, assert_held
from pipeline.store.ledger import Ledger
from pipeline.store.respec import read_spec
from pipeline.store.spec import StoreSpec

_Say = Callable[[str], None]
_Count = Callable[[int, int], None]


def apply_postprocess(
    path: Place, steps: Sequence[StepConfig], say: _Say, count: _Count = lambda done, total: None
) -> Report:
    """Make the layer ``cleaned`` of a store by other steps, and write the files beside it anew.

    Stopped anywhere and begun again, it gives the same bytes; `finish` and a run without ``output.postprocess`` go on
    with it too.

    Parameters
    ----------
    path
        Of a store whose blocks are all committed.
    steps
        As ``output.postprocess`` has them.
    say
        Told how far it is.
    count
        Told the blocks of overviews that are done, and all of them.

    Raises
    ------
    ConfigError
        The steps do not suit the raster or the classes, or a foreign file has the place of an export.
    StoreError
        There is no store of ours, or it is damaged.
    Unfinished
        Blocks are missing, somebody is at work on the store, or it was stopped.
    """
    store.clear_open_arrays()
    with outage_as_unfinished(path):
        meta, spec = store.read_store_meta(path, "fingerprint", "tiles", "blocks", "config"), read_spec(path).inferred
        cleaning = resolve_cleaning(steps, meta, meta["fingerprint"], spec)
        assert cleaning is not None, "steps were given"
        check_exports(path, spec.with_cleaned, {**meta, "cleaned": cleaning.entry})
        _require_blocks(path, meta)
        with acquire(path, None, "apply", say):
            return _apply(path, spec, cleaning, say, count)


def _apply(path: Place, spec: StoreSpec, cleaning: Cleaning, say: _Say, count: _Count) -> Report:
    meta = store.read_store_meta(path)
    check_before_resume(path, spec, not meta.get("complete"), say)
    blocks = _require_blocks(path, meta)
    unchanged = not build_missing(path, spec, meta, say, count, cleaning) and bool(meta.get("complete"))
    assert_held(path)
    if not unchanged and meta["config"]["output"].get("certificate"):
        say("the certificate is gone with the layer cleaned of before; wholecloth verify makes another")
    return publish_finished(path, spec, blocks, unchanged)


def _require_blocks(path: Place, meta: dict[str, Any]) -> int:
    """How many blocks there are; raises Unfinished where some are missing."""
    rows, cols = meta["blocks"]
    blocks: int = meta.get("asked", rows * cols)
    missing = blocks - Ledger(path).count()
    if missing > 0:
        raise Unfinished(
            f"{path} lacks {missing:,} of its {blocks:,} blocks, and postprocessing is that of the whole mask. Run its "
            f"job again, which does what is missing, then apply the steps."
        )
    return blocks
