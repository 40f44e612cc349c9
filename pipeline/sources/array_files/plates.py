"""Which image of an OME-Zarr of many is read: a field of a well of a plate, or an image of a converted file.

A plate is rows and columns of wells, and a well is fields of view, each an image::

    plate.zarr / A / 1 / 0        well A1, field 0
                     │   └ 1      well A1, field 1
                     └ 2 / 0      well A2, field 0

Source: https://ngff.openmicroscopy.org/0.5/ (plate, well, bioformats2raw.layout), and 0.4 of Zarr v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.selection import SelectValue
from pipeline.errors import SourceError
from pipeline.redact import mask_urls
from pipeline.sources.array_files.array_file import ArrayFile, joined_path
from pipeline.sources.array_files.labels import listed_labels, position_of
from pipeline.sources.array_files.selection import IMAGE_KEY
from pipeline.sources.gdal.ome_zarr import ome_document

WELL_KEY, FIELD_KEY, ACQUISITION_KEY = "well", "field", "acquisition"
"""Keys of ``source.select`` that name no dimension."""
SERIES_LAYOUT = "bioformats2raw.layout"
"""Attribute of a group whose groups 0, 1, … are images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChoice:
    """The image that is read of many."""

    path: str = ""
    """In the hierarchy that is given; empty where it is the image."""
    select: dict[str, SelectValue] = field(default_factory=dict)
    """What remains of ``source.select``."""
    notes: tuple[str, ...] = ()


def chosen_image(file: ArrayFile, path: str, select: Mapping[str, SelectValue] | None) -> ImageChoice:
    """The image that a config selects.

    Parameters
    ----------
    file
        That is open.
    path
        ``source.path``, for messages.
    select
        ``source.select``.

    Raises
    ------
    SourceError
        There is no such well, field or image, or none of several is named.
    """
    remaining, inner, notes = dict(select or {}), "", list[str]()
    document = ome_document(file.group_attributes(file.inner))
    if isinstance(plate := document.get("plate"), Mapping):
        name, inner = _well(plate, path, remaining.pop(WELL_KEY, None))
        notes.append(f"its well is {name}")
        document = ome_document(file.group_attributes(joined_path(file.inner, inner)))
    if isinstance(well := document.get("well"), Mapping):
        place, note = _field(_rows(well.get("images")), path, remaining)
        inner = joined_path(inner, place)
        notes.append(note)
    elif SERIES_LAYOUT in document:
        inner = _series(file, path, remaining.pop(IMAGE_KEY, None))
    return ImageChoice(path=inner, select=remaining, notes=tuple(notes))


def well_names(file: ArrayFile) -> list[str]:
    """Names of the wells of a plate; none of what is no plate."""
    plate = ome_document(file.group_attributes(file.inner)).get("plate")
    return [name for name, _ in _named_wells(plate)] if isinstance(plate, Mapping) else []


def _well(plate: Mapping[str, Any], path: str, value: SelectValue | None) -> tuple[str, str]:
    """Name and path of a well."""
    wells = dict(_named_wells(plate))
    if value is None and len(wells) == 1:
        return next(iter(wells.items()))
    problem = "nothing names one" if value is None else f"source.select asks for {value}"
    name = next((name for name in wells if not isinstance(value, list) and _plain(name) == _plain(str(value))), None)
    if name is None:
        raise SourceError(
            f"source.path is {mask_urls(path)}, a plate whose wells are {listed_labels(list(wells))}, and {problem}. "
            f"Name one in source.select, such as {{well: {next(iter(wells), 'A1')}}}."
        )
    return name, wells[name]


def _named_wells(plate: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of the wells, such as A1, and their paths."""
    rows, columns = _rows(plate.get("rows")), _rows(plate.get("columns"))
    for well in _rows(plate.get("wells")):
        place = str(well.get("path", "")).strip("/")
        row, column = well.get("rowIndex"), well.get("columnIndex")
        try:
            yield f"{rows[row]['name']}{columns[column]['name']}", place  # type: ignore[index]  # an error is caught
        except (TypeError, IndexError, KeyError):
            yield place.replace("/", ""), place


def _plain(name: str) -> str:
    """A name without what people write in many ways: A1, a1, A01 and A/1 are one well."""
    match = re.fullmatch(r"([A-Za-z]+)[/ _-]?0*(\d+)", name.strip())
    return f"{match[1].upper()}{match[2]}" if match else name.strip()


def _field(images: Sequence[Mapping[str, Any]], path: str, remaining: dict[str, SelectValue]) -> tuple[str, str]:
    """Path of a field in its well, the first by default, and what is said of it."""
    chosen = _of_acquisition(images, path, remaining.pop(ACQUISITION_KEY, None))
    value = remaining.pop(FIELD_KEY, 0)
    if isinstance(value, list):
        raise SourceError("source.select names several fields, which are no bands of one raster. Name one.")
    paths = [str(image.get("path", "")).strip("/") for image in chosen]
    place = paths.index(value) if value in paths else position_of(value, None, FIELD_KEY, len(paths))
    several = len({str(image.get(ACQUISITION_KEY)) for image in chosen}) > 1
    counted = f"of 0 to {len(paths) - 1}, those of all acquisitions one after the other" if several else ""
    return paths[place], f"its field is {place} {counted or f'of 0 to {len(paths) - 1}'}"


def _of_acquisition(images: Sequence[Mapping[str, Any]], path: str, value: object) -> list[Mapping[str, Any]]:
    """Fields of an acquisition; all where none is named."""
    chosen = [image for image in images if value is None or str(image.get(ACQUISITION_KEY)) == str(value)]
    if not chosen:
        names = dict.fromkeys(str(image[ACQUISITION_KEY]) for image in images if ACQUISITION_KEY in image)
        raise SourceError(
            f"source.path is {mask_urls(path)}, a well of {len(images)} fields of the acquisitions "
            f"{', '.join(names) or 'without names'}, and source.select asks for acquisition {value}. Name one of them, "
            f"or leave it out."
        )
    return chosen


def _series(file: ArrayFile, path: str, value: SelectValue | None) -> str:
    """Path of an image among those of a converted file."""
    count = 0
    while "multiscales" in ome_document(file.group_attributes(joined_path(file.inner, str(count)))):
        count += 1
    if value is None and count > 1:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which holds {count} images. Name one in source.select, such as "
            f"{{image: 0}}."
        )
    if isinstance(value, list):
        raise SourceError("source.select names several images, which are no bands of one raster. Name one.")
    return str(position_of(value or 0, None, IMAGE_KEY, max(count, 1)))


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
