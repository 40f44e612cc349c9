"""Which file holds which band: by a template with ``{band}``, or by a mapping from names to files."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources.band_files.calibration import Calibration
from pipeline.sources.gdal.options import is_remote, mask_urls

FIELD = re.compile(r"\{band(?::(0?\d+))?\}")
"""Where the band stands in a template; ``{band:02}`` writes numbers with two digits."""
MAX_EXISTING_BANDS = 20
"""Bands that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFile:
    """One band and its file."""

    name: str
    """As the config names it."""
    path: str
    common_name: str = ""
    """Such as red; empty where none is known beside the name."""
    calibration: Calibration | None = None
    """Of images of a product whose metadata say what their numbers mean."""
    nodata: int | None = None
    """Number that means nothing, where the file does not say so."""


def files_of(config: SourceConfig) -> list[BandFile]:
    """The bands of a source in the order of ``source.bands``.

    Raises
    ------
    SourceError
        The path is neither a template nor a mapping, or lacks a band.
    """
    if isinstance(config.path, dict):
        return _of_mapping(config.path, config.bands)
    if is_template(config.file):
        return _of_template(config.file, config.bands)
    raise SourceError(
        f"source.path is {mask_urls(config.file)}, which names no file per band. With kind: bands it is a template "
        f"such as B{{band}}.tif, a mapping such as {{red: B04.tif, nir: B08.tif}}, or a product of Sentinel-2 "
        f"(a SAFE folder or zip) or Landsat (a folder or tar with its MTL file). One file with all bands is kind: "
        f"raster."
    )


def is_template(path: str) -> bool:
    """Whether a path has a place for the band."""
    return FIELD.search(path) is not None


def in_template(template: str, band: int | str) -> str:
    """A template with the band in it."""
    return FIELD.sub(lambda field: _written(band, field[1]), template)


def _written(band: int | str, width: str | None) -> str:
    return f"{int(band):{width}}" if width and str(band).isdigit() else str(band)


def _of_mapping(files: dict[str, str], bands: list[int | str] | None) -> list[BandFile]:
    names = [str(band) for band in bands] if bands else [*files]
    for name in names:
        if name not in files:
            raise missing_band_error(name, "source.path", [*files])
    return [BandFile(name=name, path=files[name]) for name in names]


def _of_template(template: str, bands: list[int | str] | None) -> list[BandFile]:
    names = _existing(template)
    if not bands:
        raise SourceError(
            f"source.path is the template {mask_urls(template)}, of which the order of bands is not known. Name "
            f"them in source.bands{_listed(names)}."
        )
    files = [BandFile(name=str(band), path=in_template(template, band)) for band in bands]
    for file in files:
        if not (is_remote(file.path) or file.path.startswith("/vsi") or os.path.exists(file.path)):
            raise missing_band_error(file.name, mask_urls(template), names)
    return files


def _existing(template: str) -> list[str]:
    """Bands of a template of which there are files on disk."""
    if is_remote(template):
        return []
    literals = FIELD.split(template)[::2]
    pattern = re.compile("(?P<band>.+)".join([re.escape(literals[0]), ".*".join(map(re.escape, literals[1:]))]))
    matches = (pattern.fullmatch(path) for path in sorted(glob.glob("*".join(map(glob.escape, literals)))))
    return [match["band"] for match in matches if match]


def quality_file(config: SourceConfig, name: str) -> BandFile:
    """The file of a quality band, by the same template or mapping. Raises SourceError where there is none."""
    return files_of(config.model_copy(update={"bands": [name]}))[0]


def _listed(names: list[str]) -> str:
    if not names:
        return ""
    return f"; there are {', '.join(names[:MAX_EXISTING_BANDS])}{' …' if len(names) > MAX_EXISTING_BANDS else ''}"


def missing_band_error(name: str, place: str, names: list[str]) -> SourceError:
    """The error of a band that is asked for and that a scene lacks, which lists those that it has."""
    existing = (
        f"It has {', '.join(names[:MAX_EXISTING_BANDS])}{' …' if len(names) > MAX_EXISTING_BANDS else ''}"
        if names
        else "It has none"
    )
    return SourceError(f"The config asks for {name}, but {place} has no such band. {existing}. Name one of these.")


def short(path: str) -> str:
    """The name of a file without its folders, as notes show it."""
    return Path(mask_urls(path)).name
