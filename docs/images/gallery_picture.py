"""Draw a scene, its labels and its mask side by side: the pictures of the gallery.

    wholecloth run configs/gallery/floods.yaml
    python docs/images/gallery_picture.py s2.tif label.tif out/floods.zarr 4,3,2 docs/images/gallery_floods.png

The labels have the codes of the mask, on the pixels of the scene; a code that the mask does not have is grey.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import xarray
from PIL import Image, ImageDraw, ImageFont

GAP, TITLE, LEGEND, SWATCH = 12, 30, 40, 16
SIDE = 360
"""Of a panel, px."""
INK, UNLABELLED = (34, 34, 34), (150, 150, 150)
DARKEST, BRIGHTEST = 1, 99
"""Percentiles between which the scene is stretched."""


def draw(scene: Path, labels: Path, store: Path, bands: list[int], picture: Path) -> None:
    """Write the picture as a PNG of at most 256 colours."""
    mask = xarray.open_zarr(store, group="0", mask_and_scale=False).mask
    codes = [int(code) for code in str(mask.attrs["flag_values"]).strip("[]").replace(",", " ").split()]
    colours = dict(zip(codes, (_rgb(text) for text in mask.attrs["flag_colors"].split()), strict=True))
    with rasterio.open(labels) as raster:
        codes_of_labels = raster.read(1)
    panels = {
        "scene": _stretched(scene, bands),
        "labels": _coloured(codes_of_labels, colours),
        "mask": _coloured(mask.values, colours),
    }
    width = len(panels) * (SIDE + GAP) + GAP
    canvas = Image.new("RGB", (width, TITLE + SIDE + LEGEND), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for k, (title, pixels) in enumerate(panels.items()):
        x = GAP + k * (SIDE + GAP)
        canvas.paste(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST), (x, TITLE))
        pen.text((x, 7), title, INK, font)
    x = GAP
    for name, colour in zip(mask.attrs["flag_meanings"].split(), colours.values(), strict=True):
        pen.rectangle((x, TITLE + SIDE + 12, x + SWATCH, TITLE + SIDE + 12 + SWATCH), colour, INK)
        pen.text((x + SWATCH + 6, TITLE + SIDE + 11), name, INK, font)
        x += SWATCH + 30 + int(font.getlength(name))
    canvas.quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def _stretched(scene: Path, bands: list[int]) -> npt.NDArray[np.uint8]:
    """Three bands ``(rows, cols, 3)``, each between two percentiles of its own."""
    with rasterio.open(scene) as raster:
        pixels = raster.read(bands).astype(np.float32)
    low, high = (np.percentile(pixels, share, axis=(1, 2), keepdims=True) for share in (DARKEST, BRIGHTEST))
    return (255 * np.clip((pixels - low) / (high - low), 0, 1)).astype(np.uint8).transpose(1, 2, 0)


def _coloured(codes: npt.NDArray[np.integer], colours: dict[int, tuple[int, ...]]) -> npt.NDArray[np.uint8]:
    pixels = np.full((*codes.shape, 3), UNLABELLED, np.uint8)
    for code, colour in colours.items():
        pixels[codes == code] = colour
    return pixels


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:4]), [int(band) for band in sys.argv[4].split(",")], Path(sys.argv[5]))
