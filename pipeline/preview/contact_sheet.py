"""A contact sheet: what the network gives for each value of a sweep, side by side, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.exports.quicklook import MARGIN, SWATCH, draw_text
from pipeline.preview.pictures import Colors

_CELL = 320
"""Width and height of a picture on the sheet, px, at the most."""
ACROSS_AT_MOST = 4
CAPTION = 52
"""Height of two lines of text, px."""
CAPTION_TEXT = 14
LEGEND_ENTRY = 220
"""Width of an entry of the legend, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One picture with its caption."""

    colors: Colors
    lines: tuple[str, str]


def draw_contact_sheet(cells: Sequence[Cell], legend: Sequence[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    """Draw cells in rows of up to four.

    Parameters
    ----------
    cells
        Pictures of one size.
    legend
        Names and colours.
    """
    across = min(len(cells), ACROSS_AT_MOST)
    down, width = -(-len(cells) // across), across * (_CELL + MARGIN) + MARGIN
    per_row = max((width - MARGIN) // LEGEND_ENTRY, 1)
    top = MARGIN + down * (_CELL + CAPTION)
    sheet = Image.new("RGB", (width, top + -(-len(legend) // per_row) * (SWATCH + 8) + MARGIN), "white")
    for k, cell in enumerate(cells):
        row, col = divmod(k, across)
        corner = MARGIN + col * (_CELL + MARGIN), MARGIN + row * (_CELL + CAPTION)
        picture = thumbnail(cell.colors)
        sheet.paste(picture, corner)
        for line, text in enumerate(cell.lines):
            draw_text(sheet, (corner[0], corner[1] + _CELL + 4 + 18 * line), text, CAPTION_TEXT, _CELL)
    for k, (name, rgb) in enumerate(legend):
        left, line = MARGIN + k % per_row * LEGEND_ENTRY, top + k // per_row * (SWATCH + 8)
        sheet.paste(Image.fromarray(np.full((SWATCH, SWATCH, 3), rgb, dtype=np.uint8)), (left, line))
        draw_text(sheet, (left + SWATCH + 8, line + 2), name, CAPTION_TEXT, LEGEND_ENTRY - SWATCH - 16)
    return sheet


def thumbnail(colors: Colors) -> Image.Image:
    """A picture whose longer side is that of a cell, in colours that it has."""
    height, width = colors.shape[:2]
    factor = _CELL / max(height, width)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return Image.fromarray(colors).resize(size, Image.Resampling.NEAREST)
