"""``wholecloth status``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.cli.app import AsJson, StorePath, print_rows

if TYPE_CHECKING:
    from pipeline.locations import Place
    from pipeline.store.status import Status

_LIVENESS_TEXTS = {True: ", alive", False: ", dead", None: ""}


def status(store: StorePath, as_json: AsJson = False) -> None:
    """Print how far a store is, also while a run is at work on it."""
    from dataclasses import asdict

    from pipeline.store.status import status as read

    store_status = read(store)
    print_rows(_rows(store, store_status), asdict(store_status) if as_json else None)


def _state(store_status: Status) -> str:
    """Of a store whose parts were deleted since, both what it was and what it is."""
    if not store_status.complete:
        return "unfinished"
    return "unfinished: it was complete, and parts of it are gone" if store_status.resume else "complete"


def _rows(store: Place, store_status: Status) -> list[tuple[str, str]]:
    from pipeline.runtime.resources import human

    unit = (
        "blocks"
        if store_status.committed == store_status.blocks
        else f"blocks, {store_status.share:.1%} of what is asked for".replace("%", " %")
    )
    rows = [
        ("store", f"{store}, {_state(store_status)}"),
        *_input_rows(store_status),
        ("committed", f"{store_status.committed} of {store_status.blocks} {unit}"),
    ]
    if store_status.overviews is None or store_status.overviews["total"]:
        rows.append(
            (
                "overviews",
                "damaged"
                if store_status.overviews is None
                else f"{store_status.overviews['done']} of {store_status.overviews['total']} blocks",
            )
        )
    if store_status.cleaned is not None:
        rows.append(("cleaned", f"{store_status.cleaned['done']} of {store_status.cleaned['total']} blocks"))
    rows += [
        ("failed", str(len(store_status.failures))),
        *(("", f"block {block}: {reason}") for block, reason in store_status.failures.items()),
    ]
    rows += [
        (
            "in use",
            f"{lease['work']}, process {lease['pid']} on {lease['host']} since "
            f"{lease['since']}{_LIVENESS_TEXTS[lease['alive']]}",
        )
        for lease in store_status.leases
    ]
    if store_status.certificate is not None:
        rows.append(
            (
                "certificate",
                f"{'passed' if store_status.certificate['passed'] else 'FAILED'}, {store_status.certificate['why']}",
            )
        )
    if store_status.size is not None:
        rows.append(("size", human(store_status.size)))
    rows.append(("to do", _to_do(store, store_status)))
    return (
        [*rows, ("made by", ", ".join(f"{name} {version}" for name, version in store_status.versions.items()))]
        if store_status.versions
        else rows
    )


def _input_rows(store_status: Status) -> list[tuple[str, str]]:
    """The source of each input of the network, where there are several."""
    return [
        ("inputs" if number == 0 else "", f"{one['name']}: {one['source']}")
        for number, one in enumerate(store_status.inputs)
    ]


def _to_do(store: Place, store_status: Status) -> str:
    if not store_status.resume:
        return "nothing"
    if any(lease["alive"] for lease in store_status.leases):
        return "wait for who is at work on it"
    if store_status.committed == store_status.blocks:
        return f"finish it: wholecloth finish {shlex.quote(str(store))}"
    return "run the job again, or those of its shards that are not through, which does what is missing"
