"""Which pages of a TIFF are the levels of a slide: never its label, its overview or its thumbnail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import SourceError

LARGEST_STRIP = 2**28
"""Bytes of a strip that is decoded at once, at most."""
SIDE_IMAGE = re.compile(r"\b(label|macro|thumbnail|overview)\b", re.IGNORECASE)
"""Words by which scanners describe what shows the glass, and names on it."""
MACRO = 8
"""Bit of NewSubfileType by which Aperio marks such an image."""
COLOURS = (1, 2, 6, 32803)
"""TIFF's numbers of dark as 0, of RGB, of YCbCr, and of colour filters, as microscopes write channels."""
DECODED_COLOURS = (6, 7, 33003, 33005, 34712)
"""Compressions that give red, green and blue where YCbCr is stored."""
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
    levels = _of_ome(file, path) if file.is_ome else _of_pages(file)
    first = levels.pages[0][0].keyframe
    _check_pixels(first, path)
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


def _of_pages(file: Any) -> TiffLevels:
    """Levels as pages or as SubIFDs of the first: tiled, and of its form and proportions."""
    first = file.pages.first
    others = [*(file.pages[k] for k in range(1, len(file.pages))), *(first.pages or ())] if first.is_tiled else []
    levels = {(first.imagelength, first.imagewidth): first}
    for page in others:
        if _is_level(page, first):
            levels.setdefault((page.imagelength, page.imagewidth), page)
    alike = sum(page.shape == first.shape for page in others)
    notes = (f"the file has {alike + 1} pages of its size, and only the first is read",) if alike else ()
    return TiffLevels(pages=tuple((levels[shape],) for shape in sorted(levels, reverse=True)), notes=notes)


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
    series = file.series[0]
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    lengths = {name: size for name, size in zip(axes, shape, strict=True) if name not in "YXS"}
    planes = list(_planes(lengths))
    levels = [tuple(level.pages[plane] for plane in planes) for level in series.levels]
    if any(page is None or page.keyframe is None for pages in levels for page in pages):
        raise SourceError(
            f"source.path is {path}, an OME-TIFF some of whose planes lie in other files, or are not there. Write all "
            f"planes into one file, as bfconvert does."
        )
    left_out = [f"{size} along {name}" for name, size in lengths.items() if name != "C" and size > 1]
    notes = [f"its OME-XML has {', '.join(left_out)}, and only the first plane is read"] if left_out else []
    if len(file.series) > 1:
        notes.append(f"the file has {len(file.series)} images, and only the first is read")
    return TiffLevels(pages=tuple(levels), notes=tuple(notes))


def _planes(lengths: Mapping[str, int]) -> Iterator[int]:
    """Places among the pages of the first plane of each channel."""
    for channel in range(lengths.get("C", 1)):
        index = tuple(channel if name == "C" else 0 for name in lengths)
        yield int(np.ravel_multi_index(index, tuple(lengths.values()))) if lengths else 0


def _check_pixels(page: Any, path: str) -> None:
    """Raise SourceError where pixels are no numbers of colours, or are decoded too many at once."""
    if page.dtype is None or np.dtype(page.dtype).kind not in "iuf" or page.imagedepth > 1:
        raise SourceError(
            f"source.path is {path}, whose pixels are of {page.sampleformat} with {page.bitspersample} bits, which is "
            f"no form of slides. Give a slide of integers or floats; kind: raster may read it."
        )
    coloured = page.photometric == 6 and page.compression not in DECODED_COLOURS
    if page.photometric not in COLOURS or coloured:
        raise SourceError(
            f"source.path is {path}, whose colours are {page.photometric.name}, which no slide has. Leave source.kind "
            f"out: kind: raster shows such colours."
        )
    strip = 0 if page.is_tiled else min(page.rowsperstrip, page.imagelength) * page.imagewidth
    if strip * page.samplesperpixel * np.dtype(page.dtype).itemsize > LARGEST_STRIP:
        raise SourceError(
            f"source.path is {path}, whose pixels are stored in strips of {page.rowsperstrip} × {page.imagewidth} px, "
            f"which are decoded whole. Write it with tiles, such as by vips tiffsave --tile."
        )
