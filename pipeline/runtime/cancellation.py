"""The end of a run before its end, as the tiles that are under way see it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

CANCELLED = threading.Event()
"""Set when the run is to end; looked at between tiles."""


@contextmanager
def cancel_on_error() -> Iterator[None]:
    """Whatever ends a run early also ends the tiles that are under way."""
    CANCELLED.clear()
    try:
        yield
    except BaseException:
        CANCELLED.set()
        raise
