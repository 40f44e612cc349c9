"""A picture of the mask, with legend and scale bar."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pipeline.raster.grid import Grid
from pipeline.store.layout import open_layer
from pipeline.store.spec import StoreSpec

SIDE = 1400
"""Longest side of the mask in the picture, px."""
MARGIN, SWATCH, LEGEND = 24, 22, 300
NODATA = ((214, 214, 214), (246, 246, 246))
"""A chequered pattern, so that no class colour can be taken for it."""
CHECK = 6
INK = (34, 34, 34)


def draw(store: Path, spec: StoreSpec, png: Path) -> None:
    """Draw the mask from the smallest overview that is large enough.

    Parameters
    ----------
    store
        A complete store.
    spec
        Its spec.
    png
        Where the picture is written.
    """
    level = next((k for k in range(spec.levels) if max(_shape(spec.grid.level(k))) <= SIDE), spec.levels - 1)
    grid = spec.grid.level(level)
    step = max(1, math.ceil(max(_shape(grid)) / SIDE))  # only where a store has no overviews
    colors = _colors(np.asarray(open_layer(store, level, "mask")[::step, ::step]), spec)
    scale = max(1, min(SIDE // 2 // max(colors.shape[:2]), 16))
    image = Image.fromarray(colors).resize((colors.shape[1] * scale, colors.shape[0] * scale), Image.Resampling.NEAREST)
    px_per_px = 2**level * step / scale
    canvas = Image.new("RGB", (image.width + LEGEND + 3 * MARGIN, max(image.height + 3 * MARGIN + 30, 30 * len(spec.classes) + 140)), "white")
    canvas.paste(image, (MARGIN, MARGIN))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=16)
    pen.rectangle((MARGIN - 1, MARGIN - 1, MARGIN + image.width, MARGIN + image.height), outline=INK)
    _legend(pen, font, spec, image.width + 2 * MARGIN, store.stem)
    _scale_bar(pen, font, spec.grid, px_per_px, MARGIN + image.height + 16, image.width)
    canvas.save(png)


def _shape(grid: Grid) -> tuple[int, int]:
    return grid.height, grid.width


def _colors(mask: npt.NDArray[np.unsignedinteger], spec: StoreSpec) -> npt.NDArray[np.uint8]:
    table = np.zeros((max(spec.nodata, *(row.code for row in spec.classes)) + 1, 3), dtype=np.uint8)
    for row in spec.classes:
        table[row.code] = row.rgb
    return np.where((mask == spec.nodata)[..., None], _chequered(*mask.shape), table[mask])


def _chequered(height: int, width: int) -> npt.NDArray[np.uint8]:
    rows, cols = np.ogrid[:height, :width]
    return np.asarray(np.array(NODATA, dtype=np.uint8)[(rows // CHECK + cols // CHECK) % 2])


def _legend(pen: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, spec: StoreSpec, left: int, title: str) -> None:
    pen.text((left, MARGIN), title, fill=INK, font=ImageFont.load_default(size=20))
    for k, row in enumerate(spec.classes):
        top = MARGIN + 44 + 30 * k
        pen.rectangle((left, top, left + SWATCH, top + SWATCH), fill=row.rgb, outline=INK)
        pen.text((left + SWATCH + 10, top + 1), row.name, fill=INK, font=font)
    top = MARGIN + 44 + 30 * len(spec.classes)
    pen.bitmap((left, top), Image.new("1", (SWATCH, SWATCH), 1), fill=NODATA[0])
    for row_of, col_of in ((i, j) for i in range(0, SWATCH, CHECK) for j in range(0, SWATCH, CHECK) if (i + j) // CHECK % 2):
        pen.rectangle((left + col_of, top + row_of, min(left + col_of + CHECK, left + SWATCH) - 1, min(top + row_of + CHECK, top + SWATCH) - 1), fill=NODATA[1])
    pen.rectangle((left, top, left + SWATCH, top + SWATCH), outline=INK)
    pen.text((left + SWATCH + 10, top + 1), "no data", fill=INK, font=font)


def _scale_bar(pen: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, grid: Grid, px_per_px: float, top: int, width: int) -> None:
    size, unit = _ground(grid)
    length = _round(size * px_per_px * width / 4)
    pixels = length / (size * px_per_px)
    pen.rectangle((MARGIN, top, MARGIN + pixels, top + 6), fill=INK)
    name, value = ("km", length / 1000) if unit == "m" and length >= 1000 else ("mm", length / 1000) if unit == "µm" and length >= 1000 else (unit, length)
    pen.text((MARGIN, top + 10), f"{value:g} {name}", fill=INK, font=font)


def _round(length: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten below a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length)


def _ground(grid: Grid) -> tuple[float, str]:
    """Width of a pixel and its unit; degrees as metres at the raster's middle."""
    width = grid.pixel_size[1]
    if grid.unit == "um":
        return width, "µm"
    if grid.wkt is None:
        return 1.0, "px"
    from pyproj import CRS

    crs = CRS.from_wkt(grid.wkt)
    axis = crs.axis_info[0] if crs.axis_info else None
    if crs.is_geographic:
        _, south, _, north = grid.bounds
        return width * 111_320 * max(math.cos(math.radians((south + north) / 2)), 1e-6), "m"
    return width * (axis.unit_conversion_factor if axis and axis.unit_conversion_factor else 1.0), "m"
