"""Where no file of a VRT lies: GDAL fills these places with zeros, unless the band has a nodata."""

from __future__ import annotations

import functools
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import numpy.typing as npt
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from rasterio.io import DatasetReader

Rectangles = npt.NDArray[np.int64]
"""(files, 4) top, left, bottom, right, px."""
SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource")


def holes(dataset: DatasetReader, band: int, frame: Any) -> npt.NDArray[np.bool_] | None:
    """(rows, cols) of a window, True where a band of a VRT has no file.

    None where it has some everywhere, or nobody can say.

    Parameters
    ----------
    dataset
        An open raster.
    band
        Counted from 1.
    frame
        The window, as rasterio names it.
    """
    if dataset.driver != "VRT" or dataset.nodatavals[band - 1] is not None:
        return None
    rectangles = _bands(dataset.tags(ns="xml:VRT").get("xml:VRT", "")).get(band)
    if rectangles is None:
        return None
    moved = rectangles - np.array([frame.row_off, frame.col_off] * 2)
    near = moved[
        (moved[:, 0] < frame.height) & (moved[:, 1] < frame.width) & (moved[:, 2] > 0) & (moved[:, 3] > 0)
    ].clip(min=0)
    marks = np.ones((frame.height, frame.width), dtype=bool)
    for top, left, bottom, right in near:
        marks[top:bottom, left:right] = False
    return marks if marks.any() else None


def hole_share(dataset: DatasetReader, bands: tuple[int, ...]) -> float:
    """Pixels of a VRT that no file covers in some bands, at most: files are taken not to overlap."""
    if dataset.driver != "VRT":
        return 0.0
    pieces = [
        _bands(dataset.tags(ns="xml:VRT").get("xml:VRT", "")).get(band)
        for band in bands
        if dataset.nodatavals[band - 1] is None
    ]
    covered = [
        int(((rectangles[:, 2] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 1])).sum())
        for rectangles in pieces
        if rectangles is not None
    ]
    return max(1 - min(covered) / (dataset.height * dataset.width), 0.0) if covered else 0.0


@functools.lru_cache(maxsize=4)
def _bands(text: str) -> dict[int, Rectangles]:
    """What the files of each band cover.

    Of bands that are put together otherwise, or of nothing at all, nothing is said.
    """
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError):
        return {}
    if root.get("subClass"):
        return {}
    bands = {}
    for number, band in enumerate(root.findall("VRTRasterBand"), 1):
        sources = [child for child in band if child.tag.endswith("Source")]
        places = [_place(source.find("DstRect")) for source in sources if source.tag in SOURCES]
        if (
            not band.get("subClass")
            and places
            and len(places) == len(sources)
            and all(place is not None for place in places)
        ):
            bands[number] = np.array(places, dtype=np.int64)
    return bands


def _place(rectangle: Any) -> tuple[int, int, int, int] | None:
    """As GDAL rounds it; None where a file covers everything, or none says where."""
    if rectangle is None:
        return None
    left, top, width, height = (float(rectangle.get(name)) for name in ("xOff", "yOff", "xSize", "ySize"))
    # four of them
    return tuple(int(np.floor(edge + 0.5)) for edge in (top, left, top + height, left + width))  # type: ignore[return-value]
