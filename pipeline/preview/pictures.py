"""The pictures of a preview: pixels alone, as PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.exports.quicklook import chequered, class_colors
from pipeline.exports.stretch import MAX_CHANNELS, Entry, stretch
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Source
from pipeline.preview.choose_window import MAX_DECODED
from pipeline.preview.one_pass import WindowPixels
from pipeline.runtime.transfer.base import Arrays
from pipeline.sources.band_tags import BandTags
from pipeline.sources.lattice import level_lattice, overview_lattice, pixel_lattice
from pipeline.store.spec import ClassRow
from pipeline.store.values import ValuesSpec

PREVIEW_MARK = "preview of a mask store"
"""Written into every file: by this it is known as ours, and may be replaced."""
ZOOM_SIDE = 256
"""Pictures are enlarged by a whole number up to this width, px."""

Colors = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What a preview shows, (rows, cols, 3) uint8 each."""

    image: Colors
    stretched: tuple[Entry, ...]
    """Bands of the image, with the numbers between which each is stretched."""
    outputs: dict[str, Colors]
    """``mask`` and ``confidence``, or ``values`` where the network's channels mean no class."""
    values: tuple[Entry, ...] = ()
    """Channels of the values, likewise."""


def draw_pictures(
    read: WindowPixels, arrays: Arrays, recipe: Recipe, rows: tuple[ClassRow, ...], tags: BandTags
) -> Pictures:
    """Draw a window and what the network gives of it."""
    image, stretched = _image(read, tags)
    if not recipe.has_classes:
        shown = stretch(arrays["values"], recipe.values)
        values = over_pattern(shown.colors, shown.valid)
        return Pictures(image=image, stretched=stretched, outputs={"values": values}, values=tuple(shown.legend))
    outputs = {
        "mask": class_colors(arrays["mask"], rows, recipe.nodata),
        "confidence": over_pattern(np.stack([arrays["confidence"]] * 3, axis=-1), read.requested),
    }
    return Pictures(image=image, stretched=stretched, outputs=outputs)


def over_pattern(colors: Colors, valid: npt.NDArray[np.bool_]) -> Colors:
    """(rows, cols, 3) with the pattern of nodata where a pixel is not valid."""
    return np.where(valid[..., None], colors, chequered(*valid.shape))


def png(colors: Colors) -> bytes:
    """A picture as PNG, small ones enlarged."""
    zoom = max(ZOOM_SIDE // max(colors.shape[:2]), 1)
    return png_of(Image.fromarray(colors.repeat(zoom, axis=0).repeat(zoom, axis=1)))


def png_of(image: Image.Image) -> bytes:
    """A picture as PNG, marked as ours."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("Software", PREVIEW_MARK)
    image.save(buffer, format="PNG", pnginfo=info, optimize=True)
    return buffer.getvalue()


def raster_image(source: Source, tags: BandTags, side: int) -> Colors | None:
    """All of a raster, (rows, cols, 3), of about so many px; None where that takes long to read."""
    grid, bands = source.grid, _shown_bands(tags, source.bands)
    step = max(max(grid.height, grid.width) // side, 1)
    lattice = overview_lattice(source, bands, step) or level_lattice(source, bands, step, MAX_DECODED)
    if lattice is None and grid.height * grid.width * source.bands * source.dtype.itemsize <= MAX_DECODED:
        lattice = pixel_lattice(source, bands, step)
    if lattice is None:
        return None
    shown = stretch(np.where(lattice.valid, lattice.data, np.nan), _named(tags, bands), tags.as_seen)
    return over_pattern(shown.colors, shown.valid)


def _image(read: WindowPixels, tags: BandTags) -> tuple[Colors, tuple[Entry, ...]]:
    """By the file's own red, green and blue; else by the first three bands, or the first one of two."""
    bands = _shown_bands(tags, len(read.raw))
    planes = np.where(read.valid, read.raw[list(bands)].astype(np.float32), np.nan)
    shown = stretch(planes, _named(tags, bands), tags.as_seen)
    return over_pattern(shown.colors, shown.valid), tuple(shown.legend)


def _shown_bands(tags: BandTags, count: int) -> tuple[int, ...]:
    return tags.rgb or tuple(range(MAX_CHANNELS if count >= MAX_CHANNELS else 1))


def _named(tags: BandTags, bands: tuple[int, ...]) -> ValuesSpec:
    return ValuesSpec(channels=tuple(band_label(tags, k) for k in bands))


def band_label(tags: BandTags, k: int) -> str:
    """A band by its place, counted from 1, and its name where the file gives one."""
    return f"band {k + 1} {tags.names[k]}".strip()
