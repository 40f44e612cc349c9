"""One block after another: the meaning of every other engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.interfaces import DEFAULT_OPTIONS, Engine, EngineOptions


@contextmanager
def engine(workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> Iterator[Engine]:
    """An engine that needs nothing; neither ``workers`` nor ``options`` apply."""
    yield _run


def _run(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        yield work(item)
