"""Which of a scene's pages, channels, z and times a first config reads: the first of each, and all channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.sources.array_files.labels import listed_labels
from pipeline.sources.array_files.layout import layout_of
from pipeline.sources.array_files.opening import open_array_file
from pipeline.sources.array_files.plates import FIELD_KEY, WELL_KEY, chosen_image, well_names
from pipeline.sources.array_files.selection import IMAGE_KEY, Dimension
from pipeline.sources.array_files.variables import chosen_arrays
from pipeline.sources.slide_files.opening import axes_of_tiff

TIFFS = (".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk")
"""Names of files whose planes tifffile tells apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSelect:
    """The key ``select`` of the section ``source``."""

    select: dict[str, Any]
    origin: str
    """What there is to choose from, as a comment."""


def plane_select(settings: Mapping[str, Any]) -> PlaneSelect | None:
    """What a config has to select; None where a scene has one plane, or the settings choose planes already.

    Raises
    ------
    SourceError
        A file of arrays cannot be read, or has several arrays.
    """
    if "select" in settings or not isinstance(settings["path"], str):
        return None
    kind = settings.get("kind", "raster")
    if kind == "zarr":
        return _of_arrays(settings)
    return _of_tiff(settings["path"]) if kind == "raster" and "axes" not in settings else None


def _of_tiff(path: str) -> PlaneSelect | None:
    if Path(path).suffix.lower() not in TIFFS or not Path(path).is_file():
        return None
    axes = axes_of_tiff(path)
    several = [] if axes is None else [entry for entry in axes.dimensions[:-2] if entry.length > 1]
    if axes is None or not (several or axes.notes):
        return None
    select = {**({IMAGE_KEY: 0} if axes.notes else {}), **_first_places(several)}
    channels = {entry.name: entry.labels or list(range(entry.length)) for entry in several if entry.role == "bands"}
    return PlaneSelect(select={**select, **channels}, origin=_origin(several, axes.notes))


def _of_arrays(settings: Mapping[str, Any]) -> PlaneSelect | None:
    path = settings["path"]
    file = open_array_file(path)
    wells = well_names(file)
    place: dict[str, Any] = {WELL_KEY: wells[0], FIELD_KEY: 0} if wells else {}
    image = chosen_image(file, path, place)
    path = f"{path.rstrip('/')}/{image.path}" if image.path else path
    file = open_array_file(path)
    reader = chosen_arrays(file, path, settings.get("variable"))[0]
    several = [entry for entry in layout_of(file, reader.info, settings.get("axes")).dimensions if entry.length > 1]
    planes = [entry for entry in several if entry.role not in ("rows", "columns")]
    select = {**place, **_first_places(planes)}
    named = [f"the first of the wells {listed_labels(wells)}"] if wells else []
    return PlaneSelect(select=select, origin=_origin(planes, named)) if select else None


def _first_places(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """The first place of each dimension that is not that of the bands."""
    others = [entry for entry in dimensions if entry not in _of_bands(dimensions)]
    return {entry.name: entry.labels[0] if entry.labels else 0 for entry in others}


def _of_bands(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """The dimension of bands: by its name, or the one of an array that is nothing else; never pages."""
    named = [entry for entry in dimensions if entry.role == "bands"]
    return named or [entry for entry in dimensions if not entry.role and entry.name != "page"][:1]


def _origin(dimensions: Sequence[Dimension], others: Sequence[str]) -> str:
    """What there is to choose from, and what is chosen."""
    bands = _of_bands(dimensions)
    rest = [entry.description for entry in dimensions if entry not in bands]
    texts = [f"the first of {', '.join(rest)}; max or mean makes one of all"] if rest else []
    texts += [f"all of {entry.description}, as bands" for entry in bands]
    return f"GUESS: {'; '.join([*texts, *others])}"
