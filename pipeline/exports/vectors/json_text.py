"""Geometries as the text of GeoJSON, in pieces: a polygon of many million vertices never stands in memory as text."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
import numpy.typing as npt

from pipeline.exports.vectors.gzip_writer import GzipWriter
from pipeline.objects.features import FeatureBatch

TEXT_PIECE = 2**14
"""Vertices that become text at once."""


def compact(value: Any, ascii_only: bool = False) -> str:
    """JSON without spaces, with letters as they are, or as escapes of ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)


@contextmanager
def open_text(path: Path, mark: str) -> Iterator[TextIO]:
    """A new file of text in UTF-8, compressed where its name ends in ``.gz`` or ``.zip``; each shows the mark."""
    opened = {".gz": _in_gzip, ".zip": _in_zip}.get(path.suffix)
    if opened is None:
        with path.open("w", encoding="utf-8") as file:
            yield file
        return
    with opened(path, mark) as packed, io.TextIOWrapper(packed, encoding="utf-8") as text:
        yield text


@contextmanager
def _in_gzip(path: Path, mark: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as file, io.BufferedWriter(GzipWriter(file, mark)) as packed:
        yield packed


@contextmanager
def _in_zip(path: Path, mark: str) -> Iterator[IO[bytes]]:
    """One entry without a time: QuPath reads archives, and no gzip."""
    entry = zipfile.ZipInfo(path.stem)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = mark.encode()
        with archive.open(entry, "w", force_zip64=True) as packed:
            yield packed


def object_name(columns: Mapping[str, list[Any]], at: int) -> str:
    """The id of an object as text; of a piece of one with its number, such as ``17 (2 of 5)``."""
    name, parts = str(columns["id"][at]), columns["parts"][at] if "parts" in columns else 1
    return name if parts == 1 else f"{name} ({columns['part'][at]} of {parts})"


def id_member(columns: Mapping[str, list[Any]], at: int) -> str:
    """The member ``id`` of a feature with its comma; a piece has none, since other features have its object's."""
    return f'"id":{columns["id"][at]},' if "parts" not in columns or columns["parts"][at] == 1 else ""


Shapes = Iterable[Iterable[npt.NDArray[Any]]]
"""Polygons of one object, each with its closed rings, (n, 2), the outer one first; they are taken in order, once."""


def object_shapes(batch: FeatureBatch, points: npt.NDArray[Any]) -> Iterator[Shapes]:
    """The polygons of each object in turn.

    Parameters
    ----------
    batch
        Objects.
    points
        (n, 2) coordinates of its vertices.
    """
    ring_slices, ring_counts = _slices(batch.ring_sizes), map(int, batch.polygon_rings)

    def rings(count: int) -> Iterator[npt.NDArray[Any]]:
        return (points[ring] for ring in islice(ring_slices, count))

    for count in map(int, batch.object_polygons):
        yield map(rings, islice(ring_counts, count))


def write_polygons(file: TextIO, polygons: Shapes, multi: bool) -> None:
    """Write a geometry.

    Parameters
    ----------
    file
        Where.
    polygons
        Its polygons: one unless ``multi``.
    multi
        Whether it is a MultiPolygon.
    """
    file.write(f'{{"type":"{"MultiPolygon" if multi else "Polygon"}","coordinates":{"[" if multi else ""}')
    for number, rings in enumerate(polygons):
        file.write(",[" if number else "[")
        for place, ring in enumerate(rings):
            file.write(",[" if place else "[")
            for start in range(0, len(ring), TEXT_PIECE):
                file.write("," if start else "")
                file.write(compact(ring[start : start + TEXT_PIECE].tolist())[1:-1])
            file.write("]")
        file.write("]")
    file.write("]}" if multi else "}")


def _slices(counts: npt.NDArray[np.int64]) -> Iterator[slice]:
    """One by one: a list of them takes as much as the vertices of small rings do."""
    stop = 0
    for count in map(int, counts):
        start, stop = stop, stop + count
        yield slice(start, stop)
