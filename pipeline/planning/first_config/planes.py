"""Which of a scene's pages, channels, z and times a first config reads: the first of each, and all channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.sources.array_files.labels import listed_labels
from pipeline.sources.array_files.layout import layout_of
from pipeline.sources.array_files.opening import open_array_file
from pipeline.sources.array_files.plates import FIELD, WELL, chosen_image, well_names
from pipeline.sources.array_files.selection import Dimension
from pipeline.sources.array_files.variables import chosen_arrays
from pipeline.sources.array_files.zarr_files import is_hierarchy
from pipeline.sources.slide_files.opening import axes_of_tiff
from pipeline.sources.slide_files.tiff_axes import IMAGE

TIFFS = (".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk")
"""Names of files whose planes tifffile tells apart."""
ORIGIN = "select_origin"
"""Key of the settings with the comment beside ``select``."""


def tiff_select(scene: str) -> dict[str, Any]:
    """The keys of ``source`` that choose among the planes of a TIFF; none where it has one plane."""
    if Path(scene).suffix.lower() not in TIFFS or not Path(scene).is_file():
        return {}
    axes = axes_of_tiff(scene)
    several = [] if axes is None else [entry for entry in axes.dimensions[:-2] if entry.length > 1]
    if axes is None or not (several or axes.notes):
        return {}
    select = {**({IMAGE: 0} if axes.notes else {}), **_first_places(several)}
    channels = {entry.name: entry.labels or list(range(entry.length)) for entry in several if entry.role == "bands"}
    return {"select": {**select, **channels}, ORIGIN: _origin(several, axes.notes)}


def zarr_settings(scene: str) -> dict[str, Any] | None:
    """The section ``source`` of a folder of Zarr; None of another."""
    if not is_hierarchy(scene):
        return None
    file = open_array_file(scene)
    wells = well_names(file)
    place: dict[str, Any] = {WELL: wells[0], FIELD: 0} if wells else {}
    image = chosen_image(file, scene, place)
    path = f"{scene.rstrip('/')}/{image.path}" if image.path else scene
    file = open_array_file(path)
    (reader,) = chosen_arrays(file, path, None)
    several = [entry for entry in layout_of(file, reader.info, None).dimensions if entry.length > 1]
    planes = [entry for entry in several if entry.role not in ("rows", "columns")]
    select = {**place, **_first_places(planes)}
    settings: dict[str, Any] = {"kind": "zarr", "path": scene}
    named = [f"the first of the wells {listed_labels(wells)}"] if wells else []
    return {**settings, "select": select, ORIGIN: _origin(planes, named)} if select else settings


def _first_places(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """The first place of each dimension that is not that of the bands."""
    others = [entry for entry in dimensions if entry.role != "bands"]
    return {entry.name: entry.labels[0] if entry.labels else 0 for entry in others}


def _origin(dimensions: Sequence[Dimension], others: Sequence[str]) -> str:
    """What there is to choose from, and what is chosen."""
    bands = [entry.description for entry in dimensions if entry.role == "bands"]
    rest = [entry.description for entry in dimensions if entry.role != "bands"]
    texts = [f"the first of {', '.join(rest)}; max or mean makes one of all"] if rest else []
    texts += [f"all of {', '.join(bands)}, as bands"] if bands else []
    return f"GUESS: {'; '.join([*texts, *others])}"
