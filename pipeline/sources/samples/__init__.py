"""Samples: scenes with labels, made once and kept in a cache, by name."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pipeline.errors import SourceError
from pipeline.runtime.resources import cache_folder
from pipeline.sources.samples import ihc, satellite, slide

SAMPLE_VERSION = 2
"""Raised when a sample changes, so that older ones are made again."""
SMALLEST = 64
"""Least side of a sample, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a sample is made."""

    make: Callable[[Path, Path, int, int], None]
    """Writes a raster and its labels for a seed and a side in px."""
    classes: tuple[str, ...]
    """Names of the label codes 0, 1, 2 …"""
    seed: int
    size: int
    ending: str = ".tif"
    """Of the raster's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFiles:
    """A raster and its labels: on the same grid, and of a slide on the grid that the module of the sample names."""

    raster: Path
    labels: Path
    """Class codes as uint8; 255 where there is no label."""
    classes: tuple[str, ...]
    """Names of the codes 0, 1, 2 …"""


KINDS: dict[str, Kind] = {
    "satellite": Kind(make=satellite.make, classes=satellite.CLASSES, seed=2026, size=4096),
    "ihc": Kind(make=ihc.make, classes=ihc.CLASSES, seed=0, size=512),
    "slide": Kind(make=slide.make, classes=slide.CLASSES, seed=2026, size=20_011, ending=".svs"),
}


def sample_raster(uri: str) -> Path:
    """The raster of ``sample://NAME?seed=…&size=…``, made if it is not there."""
    return _cached(uri).raster


def labels(uri: str) -> Path:
    """The labels of a sample."""
    return _cached(uri).labels


def materialise(name: str, folder: Path | None = None, seed: int | None = None) -> SampleFiles:
    """A sample in a folder, or where it is cached when none is given.

    Parameters
    ----------
    name
        ``satellite``, ``satellite?size=2048`` or ``sample://satellite?size=2048``.
    folder
        Made if it is not there; both files are copied into it.
    seed
        Instead of the one that ``name`` says.

    Raises
    ------
    SourceError
        There is no such sample, or no room for it.
    """
    sample = _cached(name if "://" in name else f"sample://{name}", seed)
    if folder is None:
        return sample
    copy = SampleFiles(raster=folder / sample.raster.name, labels=folder / sample.labels.name, classes=sample.classes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.raster, copy.raster)
        shutil.copy(sample.labels, copy.labels)
    except OSError as error:
        raise SourceError(
            f"The sample {name} cannot be written to {folder} ({error}). Give a folder that can be written "
            f"and has room."
        ) from error
    return copy


def _cached(uri: str, seed: int | None = None) -> SampleFiles:
    name = urlsplit(uri).netloc
    if name not in KINDS:
        raise SourceError(f"{uri} is not a sample; there are {', '.join(f'sample://{name}' for name in KINDS)}.")
    kind, options = KINDS[name], _options(uri)
    seed, size = options.get("seed", kind.seed) if seed is None else seed, options.get("size", kind.size)
    folder = cache_folder() / "samples" / f"{name}-{SAMPLE_VERSION}-{seed}-{size}"
    raster, label_file = folder / f"{name}{kind.ending}", folder / f"{name}_labels.tif"
    sample = SampleFiles(raster=raster, labels=label_file, classes=kind.classes)
    if not folder.is_dir():
        _make(kind, folder, sample, seed, size)
    return sample


def _options(uri: str) -> dict[str, int]:
    parts = urlsplit(uri)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    is_valid = all(key in ("seed", "size") and re.fullmatch("[0-9]{1,9}", value) for key, value in pairs)
    options = {key: int(value) for key, value in pairs} if is_valid else {}
    if parts.path or parts.fragment or len(options) < len(pairs) or options.get("size", SMALLEST) < SMALLEST:
        raise SourceError(
            f"{uri}: a sample takes seed and size, whole numbers of at most nine digits, each once, size at "
            f"least {SMALLEST} px, "
            "as in sample://satellite?seed=3&size=2048."
        )
    return options


def _make(kind: Kind, folder: Path, sample: SampleFiles, seed: int, size: int) -> None:
    """Make both files beside their place and move them there together; of several makers, one wins."""
    partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.mkdir(parents=True)
        kind.make(partial / sample.raster.name, partial / sample.labels.name, seed, size)
        if not folder.is_dir():
            partial.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise SourceError(
                f"The sample cannot be made in {folder.parent} ({error}). Make room there, or set "
                f"WHOLECLOTH_CACHE to a folder with room that can be written."
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
