"""Pictures of a store as parts of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.exports.stretch import stretch
from pipeline.exports.task import main_layer
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.reports.area_picture import draw_area, stored_area, tissue_image
from pipeline.store.lifecycle import open_layer
from pipeline.store.picture import SourcePicture, percentile_range
from pipeline.store.spec import StoreSpec

if TYPE_CHECKING:
    from pipeline.quality.verify.seam_examples import SeamExample

MAX_PAGE_SIDE = 1000
"""Longest side of a picture, px."""
MAX_PICTURE_BYTES = 700_000
"""Of a picture; one that takes more is halved."""
MAX_MAP_BYTES = 200_000
"""The same of a map; a page has seven pictures at the most."""
MAX_RASTER_PX = 2**28
"""Pixels of full resolution that are read at the most, where there is no overview yet."""
MIDDLE = 0.4
"""Brightness that half of a dark scene reaches, from 0 to 1."""
STEEPEST = 0.35
"""The lowest exponent by which it is brightened."""
INVALID = 214
"""Grey of what is not class_codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePicture:
    """A picture in a page."""

    uri: str
    """data:… with its bytes."""
    width: int
    """px."""
    height: int
    """px."""


def source_picture(picture: SourcePicture) -> PagePicture:
    """The source as the network read it, stretched band by band."""
    values, valid, _ = picture.overview(MAX_PAGE_SIDE)
    return _source(picture.stretch, values, valid, MAX_PICTURE_BYTES)


def area_picture(meta: Mapping[str, Any], picture: SourcePicture | None) -> PagePicture | None:
    """What was asked for over the source; None where everything was.

    Parameters
    ----------
    meta
        What the root of the store says.
    picture
        Of the source, where the store keeps one; tissue has a picture of its own, which shows all of the raster.
    """
    mask, image = stored_area(meta), tissue_image(meta.get("tissue"))
    if mask is None:
        return None
    if image is None and picture is not None:
        values, valid, _ = picture.overview(max(mask.shape))
        image = _stretched(values, valid, picture.stretch)
        image[~valid] = INVALID
    return _encoded(_enlarged(Image.fromarray(draw_area(mask, image))), "PNG")


def source_map(picture: SourcePicture, window: Window, max_side: int) -> PagePicture:
    """The same of a window, px of the picture, as one of several maps."""
    step = max(1, -(-max(window.height, window.width) // max_side))
    return _source(picture.stretch, *picture.read(window, step), MAX_MAP_BYTES)


def raw_map(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> PagePicture:
    """Raw pixels as one of several maps, stretched by their own percentiles.

    Parameters
    ----------
    values
        (bands, rows, cols) of one band, or of red, green and blue.
    valid
        (rows, cols).
    """
    return _source([percentile_range(band[valid]) for band in values], values, valid, MAX_MAP_BYTES)


def map_picture(indexes: npt.NDArray[np.integer[Any]], colors: npt.NDArray[np.uint8]) -> PagePicture:
    """A map as a picture.

    Parameters
    ----------
    indexes
        (rows, cols) of colors.
    colors
        (colors, 4) red, green, blue and opacity.
    """
    if len(colors) > 256:
        return _encoded(_enlarged(Image.fromarray(colors[indexes])), "PNG", MAX_MAP_BYTES)
    image = _of_palette(indexes.astype(np.uint8))
    image.putpalette(colors[:, :3].tobytes())
    image.info["transparency"] = colors[:, 3].tobytes()
    return _encoded(_enlarged(image), "PNG", MAX_MAP_BYTES)


def layer_picture(store: Place, spec: StoreSpec, *, complete: bool) -> PagePicture | None:
    """The classes of a store, or its first channels; None where there is no overview of it and it is too large."""
    level = next((k for k in range(spec.levels) if _longest(spec, k) <= 2 * MAX_PAGE_SIDE), spec.levels - 1)
    level = level if complete else 0
    grid = spec.grid.level(level)
    if grid.height * grid.width > MAX_RASTER_PX:
        return None
    step = max(1, -(-_longest(spec, level) // MAX_PAGE_SIDE))
    index = (*(() if spec.classes else (slice(3),)), slice(None, None, step), slice(None, None, step))
    layer = main_layer(spec if complete else spec.inferred)
    pixels = np.asarray(open_layer(store, level, layer)[index])
    return _encoded(_enlarged(_classes(pixels, spec) if spec.classes else _numbers(pixels, spec)), "PNG")


def seam_pictures(
    example: SeamExample, spec: StoreSpec, picture: SourcePicture | None
) -> list[tuple[str, PagePicture]]:
    """What a window at a seam looks like: image, whole, tiled and difference, by these names."""
    height, width = example.valid.shape
    result: list[tuple[str, Image.Image, str]] = []
    if picture is not None and len(example.image):
        pixels = _stretched(example.image.astype(np.float32), example.valid, picture.stretch)
        result.append(("image", Image.fromarray(pixels), "JPEG"))
    for name, codes in (("whole", example.whole), ("tiled", example.tiled)):
        result.append((name, _classes(np.where(example.valid, codes, spec.nodata), spec), "PNG"))
    largest = float(example.difference.max()) or 1.0
    result.append(("difference", Image.fromarray((255 * example.difference / largest).astype(np.uint8)), "PNG"))
    encoded = [(name, _encoded(image, form)) for name, image, form in result]
    return [(name, PagePicture(uri=one.uri, width=width, height=height)) for name, one in encoded]


def same_size(picture: PagePicture, like: PagePicture) -> PagePicture:
    """The same picture, laid out at the size of another: overviews round their sides otherwise."""
    return PagePicture(uri=picture.uri, width=like.width, height=like.height)


def _classes(codes: npt.NDArray[Any], spec: StoreSpec) -> Image.Image:
    """A palette of the classes; what has none of them is transparent."""
    table = sorted(spec.classes, key=lambda row: row.code)[:255]
    class_codes = np.array([row.code for row in table])
    places = np.searchsorted(class_codes, codes).clip(max=len(class_codes) - 1)
    indexes = np.where(class_codes[places] == codes, places, len(class_codes)).astype(np.uint8)
    image = _of_palette(indexes)
    image.putpalette(bytes(byte for row in table for byte in row.rgb) + bytes(3))
    image.info["transparency"] = len(class_codes)
    return image


def _of_palette(indexes: npt.NDArray[np.uint8]) -> Image.Image:
    """(rows, cols) places in a palette as they are; a conversion would look for the nearest colours instead."""
    return Image.frombytes("P", (indexes.shape[1], indexes.shape[0]), np.ascontiguousarray(indexes).tobytes())


def _numbers(stored: npt.NDArray[Any], spec: StoreSpec) -> Image.Image:
    shown = stretch(stored, spec.values)
    return Image.fromarray(np.where(shown.valid[..., None], shown.colors, np.uint8(INVALID)))


def _source(
    ranges: Sequence[tuple[float, float]],
    values: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_],
    max_bytes: int,
) -> PagePicture:
    pixels = _stretched(values, valid, ranges)
    pixels[~valid] = INVALID
    return _encoded(_enlarged(Image.fromarray(pixels)), "JPEG", max_bytes)


def _stretched(
    values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], ranges: Sequence[tuple[float, float]]
) -> npt.NDArray[np.uint8]:
    """(rows, cols, 3) of three bands as red, green and blue, or of one as grey."""
    shares = np.stack([_shares(band, low, high) for band, (low, high) in zip(values, ranges, strict=True)])
    bytes_ = (255 * shares ** _exponent(shares[:, valid])).round().astype(np.uint8)
    return np.stack([*bytes_] * (3 // len(bytes_)), axis=-1)


def _shares(plane: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """(rows, cols) from 0 at the low end to 1 at the high one; a band of one number is grey."""
    share = (plane - low) / (high - low) if high > low else np.full(plane.shape, 0.5)
    return np.asarray(np.nan_to_num(share).clip(0, 1).astype(np.float32))


def _exponent(shares: npt.NDArray[np.float32]) -> float:
    """What brightens a scene that is dark beside its clouds, so that its median is a middle grey."""
    median = float(np.median(shares)) if shares.size else MIDDLE
    return float(np.clip(np.log(MIDDLE) / np.log(np.clip(median, 0.01, 0.99)), STEEPEST, 1.0))


def _longest(spec: StoreSpec, level: int) -> int:
    grid = spec.grid.level(level)
    return max(grid.height, grid.width)


def _enlarged(image: Image.Image) -> Image.Image:
    """Small rasters as squares that can be seen."""
    scale = max(1, min(MAX_PAGE_SIDE // 2 // max(image.size), 16))
    return image if scale == 1 else image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _encoded(image: Image.Image, form: str, max_bytes: int = MAX_PICTURE_BYTES) -> PagePicture:
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 82} if form == "JPEG" else {}
    if "transparency" in image.info:
        options["transparency"] = image.info["transparency"]
    image.save(buffer, format=form, **options)
    if buffer.tell() > max_bytes:
        smaller = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
        smaller.info.update(image.info)
        return _encoded(smaller, form, max_bytes)
    text = base64.b64encode(buffer.getvalue()).decode()
    return PagePicture(uri=f"data:image/{form.lower()};base64,{text}", width=image.width, height=image.height)
