"""Which plane of a TIFF is which channel, z and time: by OME-XML, by ImageJ, or by the pages alone.

tifffile reads the order of the planes from whatever the program wrote that made the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from pipeline.config.selection import SelectValue
from pipeline.errors import SourceError
from pipeline.sources.array_files.dimensions import role_by_name
from pipeline.sources.array_files.labels import Label, listed_labels, position_of
from pipeline.sources.array_files.selection import IMAGE_KEY, Dimension
from pipeline.sources.gdal.pixel_size import ome_pixels
from pipeline.sources.slide_files.tiff_segments import ContiguousPlane

DIMENSIONS_BY_LETTER = {"T": "time", "C": "channel", "Z": "z"}
"""What tifffile's letters of dimensions are called in `source.select`."""
PAGE_KEY = "page"
"""Name of the dimension of pages of which nothing is known."""
NO_PAGE = 1 | 4
"""Bits of NewSubfileType by which an image is an overview or a mask, which count as no pages, as they do in GDAL."""
PIXEL_AXES = ("y", "x", "s", "sample", "samples")
"""Names of the dimensions within a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffAxes:
    """One image of a TIFF."""

    dimensions: tuple[Dimension, ...]
    """Those of its planes, then rows and columns."""
    levels: tuple[tuple[Any, ...], ...]
    """Of each level, the finest first, its planes in the order of the dimensions."""
    image: int
    """Its place among the images of the file."""
    notes: tuple[str, ...] = ()
    """What of the file is not read."""


def tiff_axes(
    file: Any, path: str, select: Mapping[str, SelectValue], axes: str | Sequence[str] | None = None
) -> TiffAxes:
    """The planes of an image of an open TIFF.

    Parameters
    ----------
    file
        A ``tifffile.TiffFile``.
    path
        Of it, for messages.
    select
        ``source.select``; ``image`` chooses among the images, and ``page`` asks for pages by their numbers.
    axes
        ``source.axes``, which names the dimensions anew.

    Raises
    ------
    SourceError
        There is no such image, planes lie elsewhere, or ``axes`` does not fit.
    """
    image, notes = _image(file, select)
    series = file.series[image]
    lengths = _lengths(series)
    planes = [_planes(level, prod(lengths.values())) for level in series.levels]
    if any(plane is None or plane.keyframe is None for level in planes for plane in level):
        raise SourceError(
            f"source.path is {path}, an OME-TIFF some of whose planes lie in other files, or are not there. Write all "
            f"planes into one file, as bfconvert does."
        )
    names = [_name(letter) for letter in lengths]
    sizes, labels = list(lengths.values()), _labels(file, image, lengths)
    if axes is not None:
        names, sizes, labels = _named(axes, sizes), [size for size in sizes if size > 1], {}
    elif image == 0 and (PAGE_KEY in select or PAGE_KEY in names):
        names, sizes, planes, labels = [PAGE_KEY], *_pages(file, planes)
    dimensions = [
        Dimension(name=name, length=size, role=role_by_name(name), labels=labels.get(name))
        for name, size in zip(names, sizes, strict=True)
    ]
    height, width = series.keyframe.imagelength, series.keyframe.imagewidth
    dimensions += [Dimension(name="y", length=height, role="rows"), Dimension(name="x", length=width, role="columns")]
    return TiffAxes(
        dimensions=tuple(dimensions), levels=tuple(tuple(level) for level in planes), image=image, notes=tuple(notes)
    )


def _image(file: Any, select: Mapping[str, SelectValue]) -> tuple[int, list[str]]:
    """The place of the image that is read, and what is to be said of others."""
    count = len(file.series)
    names: list[Label] | None = [str(series.name) for series in file.series]
    if not all(names or []) or len(set(names or [])) < count:
        names = None
    if IMAGE_KEY in select:
        value = select[IMAGE_KEY]
        if isinstance(value, list):
            raise SourceError("source.select names several images, which are no bands of one raster. Name one.")
        return position_of(value, names, IMAGE_KEY, count), []
    listed = f" ({listed_labels(names)})" if names else ""
    several = f"the file has {count} images{listed}, and only the first is read; select: {{image: 1}} reads the next"
    return 0, [several] if count > 1 and PAGE_KEY not in select else []


def _lengths(series: Any) -> dict[str, int]:
    """The length of each dimension of planes, by tifffile's letter; a letter that comes again is followed by a number.

    Samples that a program calls channels are no planes.
    """
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    lengths: dict[str, int] = {}
    for letter, size in zip(axes, shape, strict=True):
        if letter not in "YXS":
            lengths[letter if letter not in lengths else f"{letter}{len(lengths)}"] = size
    channels = 0 if series.is_truncated else lengths.get("C", 0)
    if channels > 1 and prod(lengths.values()) == len(series) * channels:
        del lengths["C"]
    return lengths


def _planes(series: Any, count: int) -> list[Any]:
    """The planes of a level in the order of its dimensions."""
    if not series.is_truncated:
        return [series[k] for k in range(len(series))]
    page = series.keyframe
    offset, size = page.dataoffsets[0], page.nbytes
    return [
        ContiguousPlane(keyframe=page, dataoffsets=(offset + k * size,), databytecounts=(size,)) for k in range(count)
    ]


def _pages(file: Any, planes: Sequence[Sequence[Any]]) -> tuple[list[int], list[list[Any]], dict[str, list[Label]]]:
    """Length of the dimension of pages, the pages that are as the first is, and their numbers where some are not."""
    if len(file.pages) == 1:
        pages = list(planes[0])
        return [len(pages)], [pages], {}
    every = [file.pages[k].aspage() for k in range(len(file.pages))]
    pages = [page for page in every if not int(page.subfiletype) & NO_PAGE]
    alike = [k for k, page in enumerate(pages) if page.hash == pages[0].hash]
    labels: dict[str, list[Label]] = {} if len(alike) == len(pages) else {PAGE_KEY: [float(k) for k in alike]}
    return [len(alike)], [[pages[k] for k in alike]], labels


def _name(letter: str) -> str:
    """What a dimension is called; those of which nothing is known are pages."""
    return PAGE_KEY if letter[0] in "IQ" else DIMENSIONS_BY_LETTER.get(letter, letter.lower())


def _named(axes: str | Sequence[str], sizes: Sequence[int]) -> list[str]:
    """Names by ``source.axes`` of the dimensions of planes that have several places."""
    names, lengths = list(axes), [size for size in sizes if size > 1]
    planes = [name for name in names if name.lower() not in PIXEL_AXES]
    if (
        len(planes) != len(lengths)
        or len(set(names)) != len(names)
        or not {"y", "x"} <= {name.lower() for name in names}
    ):
        listed = " × ".join(map(str, lengths)) or "one"
        raise SourceError(
            f"source.axes is {', '.join(names)}, but the file has {len(lengths)} dimensions of planes ({listed}) "
            f"beside rows and columns. Give a different name for each of them, in order, and y and x."
        )
    return [{"t": "time", "c": "channel"}.get(name.lower(), name) for name in planes]


def _labels(file: Any, image: int, lengths: Mapping[str, int]) -> dict[str, list[Label]]:
    """Names of channels; nothing where not all have one."""
    count = lengths.get("C", 0)
    names = _ome_channels(file, image) if file.is_ome else _imagej_channels(file, lengths)
    return {"channel": list(names)} if count and len(names) == count and all(names) else {}


def _ome_channels(file: Any, image: int) -> list[str]:
    """The attribute Name of each Channel (https://docs.openmicroscopy.org/ome-model)."""
    pixels = ome_pixels(file.ome_metadata or "", image)
    channels = [] if pixels is None else [entry for entry in pixels if entry.tag.rpartition("}")[2] == "Channel"]
    return [str(channel.get("Name", "")) for channel in channels]


def _imagej_channels(file: Any, lengths: Mapping[str, int]) -> list[str]:
    """The labels of ImageJ's planes, where each channel has one in all of its planes."""
    labels = list((file.imagej_metadata or {}).get("Labels") or [])
    if "C" not in lengths or len(labels) != prod(lengths.values()):
        return []
    step = prod(list(lengths.values())[list(lengths).index("C") + 1 :])
    groups = [{labels[k] for k in range(len(labels)) if k // step % lengths["C"] == c} for c in range(lengths["C"])]
    return [str(group.pop()) if len(group) == 1 else "" for group in groups]
