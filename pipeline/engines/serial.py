"""One block after another: the meaning of every other engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.protocols import Engine


@contextmanager
def engine(workers: int, dashboard: str | None = None) -> Iterator[Engine]:
    """An engine that needs nothing; ``workers`` and ``dashboard`` do not apply."""
    yield _run


def _run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        yield work(item)
