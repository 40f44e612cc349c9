"""Whether two checkouts of the project write the same stores, byte for byte, by the public command alone.

    python -m benchmarks.same_bytes --before REV
    python -m benchmarks.same_bytes --keep checksums.json
    python -m benchmarks.same_bytes --against checksums.json

Chunks, shards, commit records, VRT and picture must be equal, and metadata but for the keys in `checksums.PASSED_OVER`.
Both checkouts get the same inputs in the same folder, since a store remembers paths and times. Checksums hold for one
kind of machine and one set of libraries. Prints a row for each job, and exits with 1 where anything differs or fails.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.same_bytes import inputs
from benchmarks.same_bytes.checksums import Checksums, differences, explained
from benchmarks.same_bytes.jobs import Job, jobs
from benchmarks.same_bytes.trees import ROOT, CommandFailed, checkout, compiled, results

FOLDER = Path(tempfile.gettempdir()) / "wholecloth-same-bytes"
SHOWN = 8
"""Differences of one job that are printed."""


def main(
    before: Annotated[
        str | None, typer.Option(help="Revision, or folder of a checkout, that the other is compared with.")
    ] = None,
    after: Annotated[str, typer.Option(help="Revision or folder of the checkout that is judged.")] = str(ROOT),
    keep: Annotated[
        Path | None, typer.Option(help="Write checksums of the stores here, and the inputs beside them.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with checksums that --keep wrote.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run the job of this kind of network alone; may be repeated.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where inputs and stores lie; what is there is deleted.")] = FOLDER,
) -> None:
    """Run the jobs and print a row for each."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the worktree is removed all the same
    reference = json.loads(against.read_text()) if against else None
    folder = Path(reference["folder"]) if reference else folder.resolve()
    with ExitStack() as stack:
        stack.enter_context(emptied(folder))
        trees = {
            side: tree_of(stack, place, folder / side)
            for side, place in (("before", before), ("after", after))
            if place
        }
        prepare(folder, against)
        print(f"{'job':<12} {'files':>5} {'s':>4}  result\n{'-' * 80}", flush=True)
        chosen = [job for job in jobs(folder) if not only or job.kind in only]
        rows = {
            job.kind: row(job, trees, folder, reference["jobs"].get(job.kind, {}) if reference else None)
            for job in chosen
        }
        if keep:
            inputs.pack(folder, archive_of(keep))
            document = {"folder": str(folder), "jobs": {kind: sums for kind, (_, sums) in rows.items() if sums}}
            keep.write_text(json.dumps(document, indent=1, sort_keys=True))
    raise typer.Exit(not all(equal for equal, _ in rows.values()))


def row(job: Job, trees: dict[str, Path], folder: Path, reference: Checksums | None) -> tuple[bool, Checksums]:
    """Run one job with every tree and print the outcome.

    Whether nothing differs, and the checksums of the judged tree.
    """
    if obstacle := job.obstacle(folder):
        print(f"{job.kind:<12} {'':>5} {'':>4}  skipped: {obstacle}")
        return True, {}
    start = time.monotonic()
    try:
        sides = {side: results(tree, job, folder, folder / side) for side, tree in trees.items()}
    except CommandFailed as error:
        print(f"{job.kind:<12} {'':>5} {'':>4}  FAILED: {error}", flush=True)
        shutil.rmtree(folder / "out", ignore_errors=True)
        return False, {}
    reference = sides.get("before", reference)
    changes = [] if reference is None else differences(reference, sides["after"])
    verdict = "written" if reference is None else f"{len(changes)} files DIFFER" if changes else "equal"
    print(
        f"{job.kind:<12} {len(sides['after']):>5} {time.monotonic() - start:>4.0f}  {verdict}; {job.covers}", flush=True
    )
    for sentence in changes[:SHOWN]:
        print("\n".join([f"  {sentence}", *keys_of(sentence, job, folder)]), flush=True)
    return not changes, sides["after"]


def keys_of(sentence: str, job: Job, folder: Path) -> list[str]:
    """Keys in which a metadata document differs, where both stores are present."""
    file, _, change = sentence.partition(" ")
    before, after = folder / "before" / job.kind, folder / "after" / job.kind
    return explained(file, before, after) if change == "differs" and (before / file).exists() else []


def tree_of(stack: ExitStack, place: str, kept: Path) -> Path:
    """The checkout at a place, once its commands are known to import its own package."""
    tree = stack.enter_context(checkout(place))
    package = compiled(tree, kept)
    if not package.is_relative_to(tree):
        raise typer.BadParameter(f"{place} has no package of its own: its commands would import {package}.")
    return tree


def prepare(folder: Path, against: Path | None) -> None:
    """Make the inputs, or take those that checksums were made with."""
    if against is None:
        inputs.make_inputs(folder)
    else:
        inputs.unpack(archive_of(against), folder)


def archive_of(checksums: Path) -> Path:
    """The archive of the inputs, beside a file of checksums."""
    return checksums.with_suffix(".inputs.zip")


@contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """The folder, empty at first and deleted at the end, for one process at a time."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
