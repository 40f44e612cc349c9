"""``wholecloth status``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.cli.app import AsJson, StorePath, tell

if TYPE_CHECKING:
    from pipeline.locations import Place
    from pipeline.store.status import Status

_ALIVE = {True: ", alive", False: ", dead", None: ""}


def status(store: StorePath, as_json: AsJson = False) -> None:
    """Print how far a store is, also while a run is at work on it."""
    from dataclasses import asdict

    from pipeline.store.status import status as read

    found = read(store)
    tell(_rows(store, found), asdict(found) if as_json else None)


def _rows(store: Place, found: Status) -> list[tuple[str, str]]:
    from pipeline.runtime.resources import human

    what = "blocks" if found.committed == found.blocks else f"blocks, {found.share:.1%} of what is asked for".replace("%", " %")
    rows = [("store", f"{store}, {'complete' if found.complete else 'unfinished'}"), ("committed", f"{found.committed} of {found.blocks} {what}")]
    if found.overviews is None or found.overviews["total"]:
        rows.append(("overviews", "damaged" if found.overviews is None else f"{found.overviews['done']} of {found.overviews['total']} blocks"))
    rows += [("failed", str(len(found.failures))), *(("", f"block {block}: {why}") for block, why in found.failures.items())]
    rows += [("in use", f"{one['work']}, process {one['pid']} on {one['host']} since {one['since']}{_ALIVE[one['alive']]}") for one in found.leases]
    if found.certificate is not None:
        rows.append(("certificate", f"{'passed' if found.certificate['passed'] else 'FAILED'}, {found.certificate['why']}"))
    if found.size is not None:
        rows.append(("size", human(found.size)))
    rows.append(("to do", _to_do(store, found)))
    return [*rows, ("made by", ", ".join(f"{name} {version}" for name, version in found.versions.items()))] if found.versions else rows


def _to_do(store: Place, found: Status) -> str:
    if not found.resume:
        return "nothing"
    if any(one["alive"] for one in found.leases):
        return "wait for who is at work on it"
    if found.committed == found.blocks:
        return f"finish it: wholecloth finish {shlex.quote(str(store))}"
    return "run the job again, or those of its shards that are not through, which does what is missing"
