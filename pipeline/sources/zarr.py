"""``kind: zarr``: an array with named dimensions in a Zarr, NetCDF, HDF5 or NumPy file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources.array_files.array_file import ArrayFile, ArrayReader
from pipeline.sources.array_files.arrays_source import ArrayPart, ArraysSource, ValidityArray
from pipeline.sources.array_files.chunk_reads import bytes_at_once
from pipeline.sources.array_files.layout import ArrayLayout, layout_of
from pipeline.sources.array_files.meaning import meaning_of
from pipeline.sources.array_files.opening import open_array_file
from pipeline.sources.array_files.placing import ArrayPlace, array_place
from pipeline.sources.array_files.plates import chosen_image
from pipeline.sources.array_files.remote_files import as_source_error
from pipeline.sources.array_files.selection import Selection, selection_of
from pipeline.sources.array_files.variables import chosen_arrays
from pipeline.sources.gdal.options import is_remote
from pipeline.sources.validity.nodata import Number, impossible_values
from pipeline.store.layers import LAYERS

MAX_CHUNKS_TRIED = 256
"""Chunks that are looked at for the share of those that were never written."""


def open_source(config: SourceConfig, timeout: float | None = None) -> ArraysSource:
    """Open a file of arrays and choose what of it is read.

    Parameters
    ----------
    config
        Which arrays, and which part of them.
    timeout
        ``execution.read_timeout``, which a wrapper around every source keeps.

    Raises
    ------
    SourceError
        It is missing or unreadable, lacks what is asked for, or lies on no grid.
    ExtraError
        The library that reads it is not installed.
    Unfinished
        The storage is away.
    """
    with as_source_error(config.file) if is_remote(config.file) else nullcontext():
        return _open(config)


def _open(config: SourceConfig) -> ArraysSource:
    file = open_array_file(config.file)
    image = chosen_image(file, config.file, config.select)
    if image.path:
        path = f"{config.file.rstrip('/')}/{image.path}"
        config = config.model_copy(update={"path": path, "select": image.select or None})
        file = open_array_file(path)
    readers = chosen_arrays(file, config.file, config.variable)
    layouts = [layout_of(file, reader.info, config.axes) for reader in readers]
    places = [array_place(layout.facts, config.georeference) for layout in layouts]
    _check_one_grid(layouts, places)
    if len(readers) > 1 and config.bands is not None:
        raise SourceError(
            "source.variable is a list, whose order is that of the bands, and source.bands names bands as well. Give "
            "one of them."
        )
    ours = "wholecloth" in file.group_attributes("")
    parts = tuple(
        _part(reader, selection_of(layout.dimensions, config.select, config.bands), ours)
        for reader, layout in zip(readers, layouts, strict=True)
    )
    mask = _mask(file, readers) if ours else None
    return ArraysSource(
        path=config.file,
        parts=parts,
        grid=places[0].grid,
        from_bottom=places[0].from_bottom,
        from_right=places[0].from_right,
        nodata=config.nodata,
        rule=config.nodata_rule,
        scale_tags=config.scale_tags,
        notes=(*image.notes, *_notes(config, readers, parts, places[0], mask)),
        mask=mask,
    )


def _part(reader: ArrayReader, selection: Selection, ours: bool) -> ArrayPart:
    info = reader.info
    return ArrayPart(
        name=info.name,
        selection=selection,
        meaning=meaning_of(info, ours),
        chunk=(info.chunks[selection.rows], info.chunks[selection.columns]),
        working_bytes=bytes_at_once(info, selection),
    )


def _check_one_grid(layouts: Sequence[ArrayLayout], places: Sequence[ArrayPlace]) -> None:
    """Arrays that become one raster have the same pixels, in the same order of dimensions."""
    for layout, place in zip(layouts[1:], places[1:], strict=True):
        if (place.grid, place.from_bottom, place.from_right) != (
            places[0].grid,
            places[0].from_bottom,
            places[0].from_right,
        ):
            first, other = layouts[0].info, layout.info
            raise SourceError(
                f"source.variable names {first.name} and {other.name}, which lie on different grids "
                f"({' × '.join(map(str, first.shape))} and {' × '.join(map(str, other.shape))}). Arrays that are bands "
                f"of one raster have one grid; bring them to one first."
            )


def _mask(file: ArrayFile, readers: Sequence[ArrayReader]) -> ValidityArray | None:
    """The mask of a store of ours, where a layer is read that does not say by itself where it has no answer."""
    info = readers[0].info
    group, _, layer = info.name.rpartition("/")
    if layer not in LAYERS or "nodata" in info.attributes:
        return None
    try:
        mask = file.array(f"{group}/mask").info
    except KeyError:
        return None
    return ValidityArray(name=mask.name, nodata=int(mask.attributes["nodata"]), fill=np.asarray(info.fill).item())


def _notes(
    config: SourceConfig,
    readers: Sequence[ArrayReader],
    parts: Sequence[ArrayPart],
    place: ArrayPlace,
    mask: ValidityArray | None,
) -> Iterator[str]:
    yield from dict.fromkeys(note for part in parts for note in part.selection.notes)
    yield from place.notes
    if config.nodata is None:
        return
    if mask is not None:
        yield f"pixels without an answer in {mask.name} of its store are nodata"
        return
    yield from dict.fromkeys(
        note for reader, part in zip(readers, parts, strict=True) for note in _nodata_notes(config, reader, part)
    )


def _nodata_notes(config: SourceConfig, reader: ArrayReader, part: ArrayPart) -> Iterator[str]:
    """What is nodata, and what is not although it may look so."""
    numbers: Sequence[Number] = part.meaning.nodata if config.nodata == "auto" else (config.nodata or 0,)
    for number in impossible_values(numbers, part.meaning.dtype):
        subject = "the array's nodata" if config.nodata == "auto" else "source.nodata"
        yield f"{subject} is {number:g}, which no {part.meaning.dtype} can be, so that no pixel is nodata by it"
    fill = reader.info.fill
    if config.nodata == "auto" and not numbers and fill is not None and fill != 0 and not np.isnan(fill):
        yield (
            f"its fill value {np.asarray(fill).item():g} is data, since no attribute says that it is nodata; "
            f"source.nodata: {np.asarray(fill).item():g} makes it so"
        )
    if is_remote(config.file):  # each chunk would be a request
        return
    share, exact = _unwritten_share(reader, part.selection)
    if share:
        yield (
            f"{'' if exact else 'about '}{share:.1%} of its chunks were never written and are nodata; source.nodata: "
            f"null makes them their fill value"
        )


def _unwritten_share(reader: ArrayReader, selection: Selection) -> tuple[float, bool]:
    """Chunks that were never written, as a share of those that are read, and whether all were looked at."""
    info = reader.info
    if info.fill is None:
        return 0.0, True
    first = [place // chunk for place, chunk in zip(selection.places, info.chunks, strict=True)]
    spans = [range(place, place + 1) for place in first]
    for axis in (selection.rows, selection.columns):
        spans[axis] = range(-(-info.shape[axis] // info.chunks[axis]))
    if selection.folded is not None:
        spans[selection.folded] = range(-(-selection.planes // info.chunks[selection.folded]))
    if selection.band_axis is not None:
        chunk = info.chunks[selection.band_axis]
        spans[selection.band_axis] = range(min(selection.bands) // chunk, max(selection.bands) // chunk + 1)
    count = int(np.prod([len(span) for span in spans]))
    chosen = range(count) if count <= MAX_CHUNKS_TRIED else (np.arange(MAX_CHUNKS_TRIED) * count // MAX_CHUNKS_TRIED)
    shape = tuple(len(span) for span in spans)
    places = (tuple(span[k] for span, k in zip(spans, np.unravel_index(place, shape), strict=True)) for place in chosen)
    written = [reader.is_written(tuple(int(k) for k in place)) for place in places]
    return 1 - sum(written) / max(len(written), 1), count <= MAX_CHUNKS_TRIED
