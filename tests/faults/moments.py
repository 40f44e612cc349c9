"""The moments at which a run can be held, told by the files it moves into place, and how it waits there."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

HELD, GO = "held", "go"
"""Files by which a process says that it waits, with its number, and by which all are told to go on."""

PLACES = {
    "creation": r"\.zarr$",  # the skeleton is whole, and not in its place yet
    "write": r"\.zarr/0/mask/c/\d+/\d+$",
    "commit": r"\.zarr/0/mask/ledger/r\d+/b\d+\.json$",  # the chunks are durable, their record is not there
    "overviews": r"\.zarr/1/mask/c/\d+/\d+$",
    "finishing": r"\.zarr/zarr\.json$",  # the root that says complete
    "names": r"\.mask\.tif\.aux\.xml$",
    "export": r"\.mask\.tif$",  # whole, and not in its place yet
    "sidecar": r"\.vrt$",
}
"""By moment: what is moved into place then."""


def wanted() -> tuple[str, int, Path] | None:
    """Moment, how often it passes before, and the folder of the two files; None where nothing is to be held."""
    said = os.environ.get("FAULT_AT")
    if not said:
        return None
    name, after, folder = said.split(":", 2)
    return name, int(after), Path(folder)


class Hold:
    """Counts how often a moment came, and waits once."""

    def __init__(self) -> None:
        self.came = 0

    def here(self, name: str) -> None:
        """The run is at a moment: wait, if it is the one."""
        said = wanted()
        if said is None or said[0] != name:
            return
        self.came += 1
        if self.came == said[1] + 1:
            mine = said[2] / f"{HELD}.{os.getpid()}"
            mine.write_text(str(os.getpid()))
            mine.rename(said[2] / HELD)  # there is no moment at which it is empty
            while not (said[2] / GO).exists():
                select.select([], [], [], 0.01)  # sleeps by no clock, so that a clock may jump meanwhile


HOLD = Hold()


def watched(move: Callable[..., Any]) -> Callable[..., Any]:
    """A function that moves a file into place, and waits before it does so at the moment that is wanted."""

    def moves(source: Any, target: Any, **how: Any) -> Any:
        place = os.fspath(target)
        for name, pattern in PLACES.items():
            if isinstance(place, str) and re.search(pattern, place):
                HOLD.here(name)
        return move(source, target, **how)

    return moves
