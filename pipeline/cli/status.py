"""``wholecloth status``."""

from __future__ import annotations

from pipeline.cli.app import AsJson, StorePath, tell

_ALIVE = {True: ", alive", False: ", dead", None: ""}


def status(store: StorePath, as_json: AsJson = False) -> None:
    """Print how far a store is, also while a run is at work on it."""
    from dataclasses import asdict

    from pipeline.store.status import status as read

    found = read(store)
    state = "complete" if found.complete else "unfinished"
    rows = [("store", f"{store}, {state}"), ("committed", f"{found.committed} of {found.blocks} blocks"), ("failed", str(len(found.failures)))]
    rows += [("", f"block {block}: {why}") for block, why in found.failures.items()]
    rows += [("in use", f"{one['work']}, process {one['pid']} on {one['host']} since {one['since']}{_ALIVE[one['alive']]}") for one in found.leases]
    if found.certificate is not None:
        rows.append(("certificate", f"{'passed' if found.certificate['passed'] else 'FAILED'}, {found.certificate['why']}"))
    tell(rows, asdict(found) if as_json else None)
