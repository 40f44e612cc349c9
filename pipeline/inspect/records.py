"""Records of what was measured: read where the same was measured before, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.runtime.record_files import record_path, require_measuring, write_record
from pipeline.runtime.resources import cache_folder

Measurement = TypeVar("Measurement")


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
