"""One block after another: the meaning of every other engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.interfaces import PLAIN, Engine, Terms


@contextmanager
def engine(workers: int, terms: Terms = PLAIN) -> Iterator[Engine]:
    """An engine that needs nothing; neither ``workers`` nor ``terms`` apply."""
    yield _run


def _run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        yield work(item)
