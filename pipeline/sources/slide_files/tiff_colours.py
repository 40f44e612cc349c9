"""How the numbers of a page of a TIFF become those that a picture shows; see `pipeline.sources.gdal.colours`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.gdal.colours import AS_STORED, Picture

MIN_IS_WHITE, PALETTE, YCBCR = 0, 3, 6
"""TIFF's numbers of these photometric interpretations."""
COLOURS = (MIN_IS_WHITE, 1, 2, PALETTE, YCBCR, 32803)
"""TIFF's numbers of those that are read: beside these, dark as 0, RGB, YCbCr, and colour filters, as which microscopes
write channels."""
DECODED_COLOURS = (6, 7, 33003, 33005, 34712)
"""Compressions that give red, green and blue where YCbCr is stored."""


def picture_of_page(page: Any, path: str) -> Picture:
    """How a page is shown.

    Parameters
    ----------
    page
        tifffile's page.
    path
        Of the file, for messages.

    Raises
    ------
    SourceError
        Its colours are none that are read.
    """
    check_colours(page, path)
    if page.photometric == MIN_IS_WHITE:
        return _inverted(page, path)
    if page.photometric == YCBCR:
        return Picture(note="its YCbCr colours are read as red, green and blue")
    return _palette(page) if page.photometric == PALETTE else AS_STORED


def without_entry(picture: Picture, number: int | float) -> Picture:
    """A palette of which one entry means nothing."""
    return replace(picture, clear=(np.arange(len(picture.table) // picture.channels) == number).tobytes())


def check_colours(page: Any, path: str) -> None:
    """Raise SourceError where pixels are no brightness, nor decoded to one."""
    coloured = page.photometric == YCBCR and page.compression not in DECODED_COLOURS
    if page.photometric not in COLOURS or coloured:
        raise SourceError(
            f"source.path is {path}, whose colours are {page.photometric.name}, which tifffile does not bring to red, "
            f"green and blue. Leave source.kind out, with source.select: {{page: 0}} or without: kind: raster shows "
            f"such colours."
        )


def _inverted(page: Any, path: str) -> Picture:
    if page.samplesperpixel > 1 or np.dtype(page.dtype).kind != "u":
        raise SourceError(
            f"source.path is {path}, a picture in MinIsWhite of {page.samplesperpixel} bands of {page.dtype}, whose "
            f"numbers are no brightness. Name its bands in source.bands, which takes its numbers as they are."
        )
    return Picture(
        white=2 ** int(page.bitspersample) - 1,
        name="MinIsWhite",
        note="it is MinIsWhite (0 is white), and is read inverted, as pictures show it",
    )


def _palette(page: Any) -> Picture:
    colours = np.asarray(page.colormap).T  # (entries, 3) of 16 bits
    table = np.zeros((np.iinfo(page.dtype).max + 1, 3), np.uint8)
    table[: len(colours)] = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    grey = bool((table[:, :1] == table).all())
    channels = 1 if grey else 3
    return Picture(
        table=table[:, :channels].tobytes(),
        channels=channels,
        name="palette",
        note=f"its palette is read as {'grey' if grey else 'red, green and blue'}; source.bands: [1] reads its numbers "
        f"as they are",
    )
