"""The certificate of a store, from its job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from random import Random

from pipeline.config.load import validated_config
from pipeline.config.trust import without_trust
from pipeline.errors import StoreError
from pipeline.inference.opened_networks import reuse_in_torch
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.planning.sameness import check_pixels
from pipeline.quality.verify import wide_halo_reference
from pipeline.quality.verify.certificate import Certificate, full_certificate, incomplete_certificate
from pipeline.quality.verify.coverage import check_coverage
from pipeline.quality.verify.faults import Faults
from pipeline.quality.verify.instance_check import check_instances
from pipeline.quality.verify.seam_check import CANDIDATES_PER_WINDOW, SeamCheck
from pipeline.quality.verify.seam_examples import SeamExample
from pipeline.quality.verify.verdict import seam_limit
from pipeline.store.lifecycle import clear_open_arrays, read_store_meta

WINDOWS = 16
"""Seams that are looked at when nothing is said."""
PROGRESS_INTERVAL_S = 10.0
"""Seconds between lines of progress."""


def verify(
    job: Job,
    say: Callable[[str], None],
    *,
    windows: int = WINDOWS,
    seed: int = 0,
    tolerance: float | None = None,
    notify: Callable[[str], None] | None = None,
    keep: Callable[[Sequence[SeamExample]], None] = lambda examples: None,
) -> Certificate:
    """Look at every chunk, then at seams; nothing is written but by ``keep``.

    Parameters
    ----------
    job
        Prepared, of a store that is there.
    say
        Told what was seen.
    windows, seed
        How many seams are looked at, each with a place far from seams, and of which draw. With as many windows as
        blocks every block is looked at.
    tolerance
        Largest error of a logit at seams, in standard deviations of the logits, instead of what the plan promises.
    notify
        Told after each block and window how far it is; by default ``say``, every ten seconds.
    keep
        Given the seams that differ most, the worst first; those of no other verification are worth keeping then.

    Raises
    ------
    Unfinished
        It was asked to stop.
    """
    clear_open_arrays()
    notify = notify or _throttled(say)
    coverage = check_coverage(
        job,
        lambda done, total: notify(f"{done:,} of {total:,} blocks read"),
        CANDIDATES_PER_WINDOW * windows,
        Random(seed),
    )
    if coverage.faults.count:
        keep([])
        return incomplete_certificate(coverage)
    say(
        f"{coverage.chunks:,} chunks of {coverage.blocks:,} blocks are as they were committed; looking at "
        f"{windows} seams"
    )
    reuse_in_torch(job.task, job.network, job.cropped)
    check = SeamCheck(job=job, reference=wide_halo_reference.reference_halo(job), faults=Faults(), notify=notify)
    check.run(coverage.samples[0], windows, seed)
    if not check.faults.count:
        check.overviews(coverage.samples[1:], windows, seed)
    if not check.faults.count:
        check_instances(job, check.faults)
    keep(check.worst.examples)
    return full_certificate(job, coverage, check, seam_limit(job, tolerance, check.control), seed, windows)


def job_of(
    store: Place,
    overrides: list[str],
    source: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    silent: bool = True,
) -> Job:
    """The job that a store was made by.

    Parameters
    ----------
    store
        May have been moved since.
    overrides
        ``key.path=value``, as for `run`.
    source
        Where its source lies now. Pixels of all committed blocks are compared, unless it lies as it lay.
    say
        Told that pixels are compared.
    silent
        Show no progress where the network is downloaded.

    Raises
    ------
    InputError
        There is no store of ours, or its source or network is gone or another one.
    PlanError
        Its tiles do not fit the memory.
    """
    meta = read_store_meta(store)
    if "given" not in meta:
        raise StoreError(
            f"{store} was made before stores kept their config as it was given. Run its job once more, "
            f"which changes no pixel, and verify it then."
        )
    named = [] if source is None else [f"source.path={json.dumps(source, ensure_ascii=False)}"]
    config = validated_config(without_trust(meta["given"]), [*overrides, *named], store)
    output = config.output.model_copy(update={"path": store})
    job = prepare_job(config.model_copy(update={"output": output}), silent=silent)
    if source is not None and job.moved:
        check_pixels(job, None, say)
    return job


def _throttled(say: Callable[[str], None]) -> Callable[[str], None]:
    """Of very many lines, one in a while."""
    last = time.monotonic()

    def throttled(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_INTERVAL_S:
            last = time.monotonic()
            say(line)

    return throttled
