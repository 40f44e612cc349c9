"""Pixels as PNG: classes by their colours, numbers along a ramp, objects each in a colour of its own."""

from __future__ import annotations

import functools
import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.store.spec import ClassRow
from pipeline.viewer.tile_grid import TILE_PX

Bytes = npt.NDArray[np.uint8]

PALETTE_CLASSES = 255
"""Classes that a palette holds beside what is transparent."""
RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Colours from the lowest number to the highest, even in lightness: those of matplotlib's viridis, at quarters."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Of an image, by its planes."""
_SPREAD = 2654435761
"""Multiplier by which neighbouring ids get distant colours: Knuth's, for hashes of 32 bits."""


def class_png(codes: npt.NDArray[Any], classes: Sequence[ClassRow], hidden: Collection[int]) -> bytes:
    """A tile of classes.

    Parameters
    ----------
    codes
        (rows, cols), at most 256 on a side.
    classes
        Codes and colours; other codes are transparent.
    hidden
        Codes that are not shown.
    """
    places, colors = _palette(tuple(classes), frozenset(hidden))
    shown = places[codes]
    if len(colors) <= PALETTE_CLASSES + 1:
        return _palette_png(shown.astype(np.uint8), colors)
    return _png(Image.fromarray(_padded(colors[shown])))


def number_png(shares: npt.NDArray[np.floating[Any]]) -> bytes:
    """A tile of numbers from 0 to 1, (rows, cols), along the ramp; NaN is transparent."""
    valid = ~np.isnan(shares)
    steps = np.where(valid, 1 + np.nan_to_num(shares).clip(0, 1) * (PALETTE_CLASSES - 1), 0)
    return _palette_png(steps.round().astype(np.uint8), _ramp())


def instance_png(ids: npt.NDArray[Any]) -> bytes:
    """A tile of objects by their ids, (rows, cols); 0 is transparent."""
    spread = (ids.astype(np.uint64) * np.uint64(_SPREAD) & np.uint64(0xFFFFFFFF)) >> np.uint64(8)
    places = np.where(ids == 0, 0, 1 + spread % np.uint64(PALETTE_CLASSES)).astype(np.uint8)
    return _palette_png(places, _wheel())


def image_png(planes: Sequence[Bytes], valid: npt.NDArray[np.bool_]) -> bytes:
    """A tile of the image: one plane as grey, or three as red, green and blue, (rows, cols) each."""
    opaque = valid.all() and valid.shape == (TILE_PX, TILE_PX)
    parts = list(planes) if opaque else [*planes, np.where(valid, np.uint8(255), np.uint8(0))]
    return _png(Image.merge(_MODES[len(parts)], [Image.fromarray(_padded(part)) for part in parts]))


@functools.cache
def empty_png() -> bytes:
    """A tile that shows nothing."""
    return _palette_png(np.zeros((TILE_PX, TILE_PX), np.uint8), np.zeros((1, 4), np.uint8))


@functools.lru_cache(maxsize=64)
def _palette(classes: tuple[ClassRow, ...], hidden: frozenset[int]) -> tuple[npt.NDArray[np.uint16], Bytes]:
    """(65536,) code → place in a palette, and (places, 4) its colours; place 0 is transparent."""
    shown = [row for row in classes if row.code not in hidden]
    places = np.zeros(2**16, np.uint16)
    places[[row.code for row in shown]] = np.arange(1, len(shown) + 1)
    return places, np.array([(0, 0, 0, 0), *((*row.rgb, 255) for row in shown)], np.uint8)


@functools.cache
def _ramp() -> Bytes:
    at = np.linspace(0, len(RAMP) - 1, PALETTE_CLASSES)
    planes = [np.interp(at, range(len(RAMP)), plane) for plane in zip(*RAMP, strict=True)]
    return _with_transparent(np.stack(planes, axis=-1))


@functools.cache
def _wheel() -> Bytes:
    """Hues around the circle, in three degrees of lightness."""
    at = np.arange(PALETTE_CLASSES)
    hues, light = at * 137.508 % 360, 0.45 + 0.15 * (at % 3)
    planes = [light + 0.35 * np.cos(np.radians(hues - turn)) for turn in (0, 120, 240)]
    return _with_transparent(np.stack(planes, axis=-1).clip(0, 1) * 255)


def _with_transparent(colors: npt.NDArray[Any]) -> Bytes:
    table = np.zeros((len(colors) + 1, 4), np.uint8)
    table[1:, :3], table[1:, 3] = colors.round(), 255
    return table


def _palette_png(places: Bytes, colors: Bytes) -> bytes:
    image = Image.fromarray(_padded(places))
    image.putpalette(colors[:, :3].tobytes())
    return _png(image, transparency=colors[:, 3].tobytes())


def _padded(pixels: Bytes) -> Bytes:
    """A tile at the far edge of the raster, filled up to the size of all others with what is transparent."""
    missing = [(0, TILE_PX - length) for length in pixels.shape[:2]]
    return np.pad(pixels, [*missing, *[(0, 0)] * (pixels.ndim - 2)])


def _png(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1, **options)
    return buffer.getvalue()
