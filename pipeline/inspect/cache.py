"""What was measured of a network, kept beside other caches under the network's own hash."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network
from pipeline.runtime.record_files import record_path, require_measuring, write_record
from pipeline.runtime.resources import cache_folder

CACHE_VERSION = 5
"""Raised when the measurement changes, so that older results are measured again."""


def cached(
    network: Network, bands: int, folder: Path | None = None, trained: int | None = None, room: Room | None = None
) -> Locality:
    """Measure a network within the memory that there is room for.

    What was measured of the same bytes before, with the same training size, is read instead.
    """
    path = _path(network, bands, folder, trained)
    if (locality := _read(path)) is not None:
        return locality
    require_measuring()
    from pipeline.inspect.locality.measure import measure_locality

    locality = measure_locality(network, bands, trained, room)
    write_record(path, asdict(locality))
    return locality


def cached_only(
    network: Network, bands: int, folder: Path | None = None, trained: int | None = None
) -> Locality | None:
    """What was measured of the same bytes before; None where nothing was, and then nothing is measured."""
    return _read(_path(network, bands, folder, trained))


def _path(network: Network, bands: int, folder: Path | None, trained: int | None) -> Path:
    key = [CACHE_VERSION, bands, trained, network.identity()]
    return record_path(folder or cache_folder() / "locality", key)


def _read(path: Path) -> Locality | None:
    """None where the file is absent, cut short or of another version."""
    try:
        return Locality.of(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
