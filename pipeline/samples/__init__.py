"""Samples: scenes with labels, made once and kept in a cache, by name."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pipeline.errors import SourceError
from pipeline.machine import cache_folder
from pipeline.samples import ihc, satellite

VERSION = 1
"""Raised when a sample changes, so that older ones are made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a sample is made."""

    make: Callable[[Path, Path, int, int], None]
    """Writes a raster and its labels for a seed and a side in px."""
    seed: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A raster and its labels, on the same grid."""

    raster: Path
    labels: Path
    """Class codes as uint8; 255 where there is no label."""


KINDS: dict[str, Kind] = {
    "satellite": Kind(make=satellite.make, seed=2026, size=4096),
    "ihc": Kind(make=ihc.make, seed=0, size=512),
}


def resolve(uri: str) -> Path:
    """The raster of ``sample://NAME?seed=…&size=…``, made if it is not there."""
    return _cached(uri).raster


def labels(uri: str) -> Path:
    """The labels of a sample."""
    return _cached(uri).labels


def materialise(name: str, folder: Path) -> Sample:
    """Copy a sample into a folder.

    Raises
    ------
    SourceError
        There is no such sample.
    """
    made = _cached(name if "://" in name else f"sample://{name}")
    folder.mkdir(parents=True, exist_ok=True)
    raster, label = (folder / path.name for path in (made.raster, made.labels))
    shutil.copy(made.raster, raster)
    shutil.copy(made.labels, label)
    return Sample(raster=raster, labels=label)


def _cached(uri: str) -> Sample:
    parts = urlsplit(uri)
    if parts.netloc not in KINDS:
        raise SourceError(f"{uri} is not a sample; there are {', '.join(f'sample://{name}' for name in KINDS)}.")
    kind = KINDS[parts.netloc]
    seed, size = _options(uri, parts.query, kind)
    folder = cache_folder() / "samples" / f"{parts.netloc}-{VERSION}-{seed}-{size}"
    sample = Sample(raster=folder / f"{parts.netloc}.tif", labels=folder / f"{parts.netloc}_labels.tif")
    if not folder.is_dir():
        _make(kind, folder, sample, seed, size)
    return sample


def _options(uri: str, query: str, kind: Kind) -> tuple[int, int]:
    said = dict(parse_qsl(query, keep_blank_values=True))
    if said.keys() - {"seed", "size"} or not all(value.isdigit() for value in said.values()):
        raise SourceError(f"{uri}: a sample takes seed and size, both whole numbers, as in sample://satellite?seed=3&size=2048.")
    return int(said.get("seed", kind.seed)), max(int(said.get("size", kind.size)), 64)


def _make(kind: Kind, folder: Path, sample: Sample, seed: int, size: int) -> None:
    """Make both files beside their place and move them there together; of several makers, one wins."""
    partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
    partial.mkdir(parents=True)
    try:
        kind.make(partial / sample.raster.name, partial / sample.labels.name, seed, size)
        if not folder.is_dir():
            partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
