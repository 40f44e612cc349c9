"""What a pixel costs inside a network, kept beside other measurements of the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.inspect.memory.activation_memory import MEMORY_IMAGE_SIDE, ActivationMemory
from pipeline.inspect.memory.limit import Room
from pipeline.runtime.memory_constants import COUNTED_FACTOR
from pipeline.runtime.record_files import record_path, require_measuring, torch_release, write_record
from pipeline.runtime.resources import cache_folder, cores

MEMORY_VERSION = 1
"""Raised when the measurement changes."""


def kept_activation_memory(measure: Callable[[], ActivationMemory], key: list[Any], room: Room) -> ActivationMemory:
    """What was measured under the same key before, where the image that was measured fits; else what is measured now.

    Parameters
    ----------
    measure
        Measures.
    key
        The network and all else that decides; cores and releases of torch are added.
    room
        Memory that the image may take. Where there is too little for the largest, a smaller one is measured.
    """
    path = record_path(cache_folder() / "activations", [MEMORY_VERSION, torch_release(), cores(), *key])
    record = _read(path)
    if record is not None and room.has(int(COUNTED_FACTOR * record.bytes_per_pixel * MEMORY_IMAGE_SIDE**2)):
        return record
    require_measuring()
    measured = measure()
    if room.has(int(COUNTED_FACTOR * measured.bytes_per_pixel * MEMORY_IMAGE_SIDE**2)):
        write_record(path, asdict(measured))
    return measured


def _read(path: Path) -> ActivationMemory | None:
    """None where the file is absent, cut short or of another version."""
    try:
        return ActivationMemory(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
