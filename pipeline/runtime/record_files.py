"""Files of records: what was measured before, each under all that decides it, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from pipeline.runtime.resources import cache_folder

Measurement = TypeVar("Measurement")

_records_alone: ContextVar[bool] = ContextVar("records_alone", default=False)


class NotRecorded(BaseException):
    """What is asked for was not measured before, and may not be measured now.

    No `Exception`: whoever takes whatever a network raises for a fault of the network must not take this for one.
    """


@contextmanager
def records_alone() -> Iterator[None]:
    """A context in which nothing is measured: what is not recorded raises `NotRecorded`."""
    token = _records_alone.set(True)
    try:
        yield
    finally:
        _records_alone.reset(token)


def require_measuring() -> None:
    """Raise NotRecorded where records alone may be used. Called before anything is measured."""
    if _records_alone.get():
        raise NotRecorded


def record_path(folder: Path, key: Any) -> Path:
    """The file of a key."""
    text = json.dumps(key, sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def write_record(path: Path, values: Any) -> None:
    """Write whole or not at all, since other processes read at any time.

    A home that is read-only or full costs seconds at the next command, not this one.
    """
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(values))
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def recorded(
    name: str,
    key: Any,
    measure: Callable[[], Measurement],
    as_values: Callable[[Measurement], Any],
    from_values: Callable[[Any], Measurement],
) -> Measurement:
    """What was measured before under the same key, else what is measured now.

    Parameters
    ----------
    name
        Of the measurement, a folder in that of the caches.
    key
        All that decides it, in values that JSON takes; others stand for themselves as text.
    measure
        Measures.
    as_values
        Plain values of a measurement.
    from_values
        The measurement of plain values; raises KeyError, TypeError or ValueError where they are another version's.

    Raises
    ------
    NotRecorded
        It was not measured before, and records alone may be used.
    """
    path = record_path(cache_folder() / name, key)
    try:
        return from_values(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        require_measuring()
        measured = measure()
    write_record(path, as_values(measured))
    return measured


@cache
def torch_release() -> str:
    """The release of torch that is installed, such as 2.13.0+cpu; torch is not imported for it."""
    return version("torch")
