"""Which pages of a TIFF are the levels of a slide: never its label, its overview or its thumbnail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.slide_files.tiff_axes import TiffAxes, tiff_axes
from pipeline.sources.slide_files.tiff_segments import is_flat

LARGEST_STRIP = 2**28
"""Bytes of a strip that is decoded at once, at most."""
SIDE_IMAGE = re.compile(r"\b(label|macro|thumbnail|overview)\b", re.IGNORECASE)
"""Words by which scanners describe what shows the glass, and names on it."""
MACRO = 8
"""Bit of NewSubfileType by which Aperio marks such an image."""
ASPECT_PX = 1.5
"""Pixels of a level by which its sides may be off those of the slide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffLevels:
    """Pages by level."""

    pages: tuple[tuple[Any, ...], ...]
    """Of each level, the finest first, tifffile's pages that hold its bands."""
    notes: tuple[str, ...] = ()
    """What of the file is not read."""


def tiff_levels(file: Any, path: str) -> TiffLevels:
    """The levels of an open TIFF.

    Parameters
    ----------
    file
        A ``tifffile.TiffFile``.
    path
        Of it, for messages.

    Raises
    ------
    SourceError
        Its pixels are none that a slide has.
    """
    levels = _of_ome(file, path) if file.is_ome else _of_pages(file, path)
    check_stored_pixels(levels.pages[0][0], path)
    return levels


def tags_of(file: Any) -> Mapping[str, str]:
    """The tags that tell the size of a pixel, by GDAL's names."""
    page = file.pages.first
    tags = {"TIFFTAG_IMAGEDESCRIPTION": page.description}
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        if tag is not None and isinstance(tag.value, tuple) and tag.value[1]:
            tags[f"TIFFTAG_{name.upper()}"] = repr(tag.value[0] / tag.value[1])
    unit = page.tags.get("ResolutionUnit")
    return tags if unit is None else {**tags, "TIFFTAG_RESOLUTIONUNIT": str(int(unit.value))}


def _of_pages(file: Any, path: str) -> TiffLevels:
    """Levels as pages or as SubIFDs of the first: tiled, and of its form and proportions."""
    first = file.pages.first
    others = [*(file.pages[k] for k in range(1, len(file.pages))), *(first.pages or ())] if first.is_tiled else []
    levels = {(first.imagelength, first.imagewidth): first}
    for page in others:
        if _is_level(page, first):
            levels.setdefault((page.imagelength, page.imagewidth), page)
    if file.is_imagej or file.is_shaped or not first.is_tiled:
        notes = _left_out(tiff_axes(file, path, {}), ())
    else:
        alike = sum(page.shape == first.shape for page in others)
        notes = [f"the file has {alike + 1} pages of its size, and {_first_of(['page'])}"] if alike else []
    return TiffLevels(pages=tuple((levels[shape],) for shape in sorted(levels, reverse=True)), notes=tuple(notes))


def _left_out(axes: TiffAxes, bands: Sequence[str]) -> list[str]:
    """Planes of which the first alone is read, in words."""
    several = [entry for entry in axes.dimensions[:-2] if entry.length > 1 and entry.name not in bands]
    listed = "; ".join(entry.description for entry in several)
    return [f"it has {listed}, and {_first_of([entry.name for entry in several])}"] if several else []


def _first_of(names: Sequence[str]) -> str:
    example = ", ".join(f"{name}: 0" for name in names)
    return f"only the first is read; source.select, such as {{{example}}}, chooses another"


def _is_level(page: Any, first: Any) -> bool:
    """Whether a page may be a smaller level of the first."""
    alike = all(
        getattr(page, name) == getattr(first, name) for name in ("dtype", "samplesperpixel", "photometric", "is_tiled")
    )
    side_image = int(page.subfiletype) & MACRO or SIDE_IMAGE.search(page.description)
    if not alike or side_image or page.imagelength >= first.imagelength or page.imagewidth >= first.imagewidth:
        return False
    scale = first.imagelength / page.imagelength
    return bool(abs(first.imagewidth / scale - page.imagewidth) <= max(ASPECT_PX, page.imagewidth / page.imagelength))


def _of_ome(file: Any, path: str) -> TiffLevels:
    """The first image of an OME-TIFF: its channels are bands, of other axes the first plane is read."""
    axes = tiff_axes(file, path, {})
    planes = list(_first_planes(axes))
    levels = tuple(tuple(level[plane] for plane in planes) for level in axes.levels)
    return TiffLevels(pages=levels, notes=(*_left_out(axes, ("channel",)), *axes.notes))


def _first_planes(axes: TiffAxes) -> Iterator[int]:
    """Places among the planes of the first plane of each channel."""
    lengths = {dimension.name: dimension.length for dimension in axes.dimensions[:-2]}
    for channel in range(lengths.get("channel", 1)):
        index = tuple(channel if name == "channel" else 0 for name in lengths)
        yield int(np.ravel_multi_index(index, tuple(lengths.values()))) if lengths else 0


def check_stored_pixels(page: Any, path: str) -> None:
    """Raise SourceError where pixels are no numbers, or are decoded too many at once."""
    key = page.keyframe
    if key.dtype is None or np.dtype(key.dtype).kind not in "iuf" or key.imagedepth > 1:
        raise SourceError(
            f"source.path is {path}, whose pixels are of {key.sampleformat} with {key.bitspersample} bits, which is "
            f"no form of slides. Give a slide of integers or floats; kind: raster may read it."
        )
    strip = 0 if key.is_tiled or is_flat(page) else min(key.rowsperstrip, key.imagelength) * key.imagewidth
    if strip * key.samplesperpixel * np.dtype(key.dtype).itemsize > LARGEST_STRIP:
        raise SourceError(
            f"source.path is {path}, whose pixels are stored in strips of {key.rowsperstrip} × {key.imagewidth} px, "
            f"which are decoded whole. Write it with tiles, such as by vips tiffsave --tile."
        )
