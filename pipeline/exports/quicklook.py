"""A picture of the mask, or of the first channels of a store without one, with legend and scale bar."""

from __future__ import annotations

import functools
import io
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pipeline.exports.scale_bar import scale_bar
from pipeline.exports.stretch import MAX_CHANNELS, Entry, Stretched, stretch
from pipeline.exports.task import main_layer
from pipeline.geometry.grid import Grid
from pipeline.locations import Place
from pipeline.store.files import belongs_to_others, files_at
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import ClassRow, StoreSpec

_MAX_SIDE = 1400
"""Longest side of the raster in the picture, px."""
MARGIN, SWATCH, LEGEND, TITLE, LINE, TEXT = 24, 22, 300, 44, 30, 16
FONTS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")
"""Looked for on the machine, for the sake of class names in any language; Pillow's own font knows little but ASCII."""
_MAX_CLASSES = 40
"""Classes in the legend, at the most."""
NODATA = ((214, 214, 214), (246, 246, 246))
"""A chequered pattern, so that no class colour can be taken for it."""
CHECK = 6
_INK = (34, 34, 34)
PNG_LEVEL = 4
"""Of zlib: less than half the time of its default, for a picture a tenth larger."""
QUICKLOOK_MARK = "quicklook of a mask store"
"""Written into the picture's first bytes: by this it is known as ours, and may be replaced."""


def write(path: Place, spec: StoreSpec) -> Place:
    """Draw the classes of a store, or its values where it has none, into a picture beside the store."""
    return draw_quicklook(path, spec, path.with_suffix(".png"))


def draw_quicklook(store: Place, spec: StoreSpec, png: Place) -> Place:
    """Draw a store from the largest overview that fits the picture.

    Parameters
    ----------
    store
        A complete store.
    spec
        Its spec.
    png
        Where the picture is written, unless somebody else's picture stands there, such as the source.

    Returns
    -------
    Place
        Where it was written: ``png``, or ``scene.zarr.png`` beside it.
    """
    pixels, px_per_px = _pixels(store, spec)
    stretched = None if spec.classes else stretch(pixels, spec.values)
    image = Image.fromarray(
        class_colors(pixels, spec.classes, spec.nodata) if stretched is None else _shaded(stretched)
    )
    entries = [(row.name, row.rgb) for row in spec.classes] if stretched is None else stretched.legend
    rows = min(len(entries), _MAX_CLASSES) + 2
    size = image.width + LEGEND + 3 * MARGIN, max(image.height + 3 * MARGIN + 30, TITLE + LINE * rows + 2 * MARGIN)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(image, (MARGIN, MARGIN))
    ImageDraw.Draw(canvas).rectangle(
        (MARGIN - 1, MARGIN - 1, MARGIN + image.width, MARGIN + image.height), outline=_INK
    )
    _legend(canvas, entries, image.width + 2 * MARGIN, store.stem)
    _scale_bar(canvas, spec.grid, px_per_px, MARGIN + image.height + 16, image.width)
    return _save(canvas, png.with_name(f"{store.name}.png") if belongs_to_others(png, QUICKLOOK_MARK) else png)


def _pixels(store: Place, spec: StoreSpec) -> tuple[npt.NDArray[Any], float]:
    """(rows, cols) codes or (channels, rows, cols) values to draw, and how many px of the raster each is wide."""
    level = next((k for k in range(spec.levels) if max(_shape(spec.grid.level(k))) <= _MAX_SIDE), spec.levels - 1)
    step = max(1, math.ceil(max(_shape(spec.grid.level(level))) / _MAX_SIDE))  # only where a store has no overviews
    channels = () if spec.classes else (slice(MAX_CHANNELS),)
    pixels = np.asarray(
        open_layer(store, level, main_layer(spec))[(*channels, slice(None, None, step), slice(None, None, step))]
    )
    scale = max(1, min(_MAX_SIDE // 2 // max(pixels.shape[-2:]), 16))  # small rasters are enlarged
    return pixels.repeat(scale, axis=-2).repeat(scale, axis=-1), 2**level * step / scale


def _save(canvas: Image.Image, png: Place) -> Place:
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("Software", QUICKLOOK_MARK)
    canvas.save(buffer, format="PNG", pnginfo=info, compress_level=PNG_LEVEL)
    files_at(png.parent).put(png.name, buffer.getvalue())
    return png


def _shape(grid: Grid) -> tuple[int, int]:
    return grid.height, grid.width


def class_colors(mask: npt.NDArray[Any], classes: Sequence[ClassRow], nodata: int) -> npt.NDArray[np.uint8]:
    """(rows, cols) codes → (rows, cols, 3) colours of the classes, and a pattern where there is nodata."""
    table = np.zeros((max(nodata, *(row.code for row in classes)) + 1, 3), dtype=np.uint8)
    for row in classes:
        table[row.code] = row.rgb
    return _over_pattern(table[mask], mask != nodata)


def _shaded(stretched: Stretched) -> npt.NDArray[np.uint8]:
    """(rows, cols, 3) a stretched picture over the pattern of nodata."""
    return _over_pattern(stretched.colors, stretched.valid)


def _over_pattern(colors: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return colors if valid.all() else np.where(valid[..., None], colors, chequered(*valid.shape))


def chequered(height: int, width: int) -> npt.NDArray[np.uint8]:
    """(rows, cols, 3) the pattern of pixels without data."""
    rows, cols = np.ogrid[:height, :width]
    return np.asarray(np.array(NODATA, dtype=np.uint8)[(rows // CHECK + cols // CHECK) % 2])


def _legend(canvas: Image.Image, entries: list[Entry], left: int, title: str) -> None:
    draw_text(canvas, (left, MARGIN), title, 20, LEGEND)
    listed = entries[:_MAX_CLASSES]
    for k, (name, rgb) in enumerate(listed):
        _entry(canvas, (left, MARGIN + TITLE + LINE * k), name, np.full((SWATCH, SWATCH, 3), rgb, dtype=np.uint8))
    top = MARGIN + TITLE + LINE * len(listed)
    _entry(canvas, (left, top), "no data", chequered(SWATCH, SWATCH))
    if len(listed) < len(entries):
        draw_text(canvas, (left, top + LINE), f"and {len(entries) - len(listed)} more classes")


def _entry(canvas: Image.Image, corner: tuple[int, int], name: str, swatch: npt.NDArray[np.uint8]) -> None:
    left, top = corner
    canvas.paste(Image.fromarray(swatch), corner)
    ImageDraw.Draw(canvas).rectangle((left, top, left + SWATCH, top + SWATCH), outline=_INK)
    draw_text(canvas, (left + SWATCH + 10, top + 1), name, width=LEGEND - SWATCH - 10)


def draw_text(
    canvas: Image.Image, corner: tuple[int, int], text: str, size: int = TEXT, width: float = math.inf
) -> None:
    """Draw a line of text, cut to a width in px."""
    font = _font(size)
    prefix = label = text if font is not None else _ascii(text)
    face = font or ImageFont.load_default(size=size)
    while len(label) > 1 and face.getlength(label) > width:
        prefix = prefix[:-1]
        label = f"{prefix}…"
    ImageDraw.Draw(canvas).text(corner, label, fill=_INK, font=face)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | None:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def _ascii(text: str) -> str:
    """Letters without their accents, and u for µ."""
    decomposed = unicodedata.normalize("NFKD", text.replace("µ", "u"))
    return (
        "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        .encode("ascii", "replace")
        .decode()
    )


def _scale_bar(canvas: Image.Image, grid: Grid, px_per_px: float, top: int, width: int) -> None:
    length, text = scale_bar(grid, px_per_px * width)
    ImageDraw.Draw(canvas).rectangle((MARGIN, top, MARGIN + length / px_per_px, top + 6), fill=_INK)
    draw_text(canvas, (MARGIN, top + 10), text)
