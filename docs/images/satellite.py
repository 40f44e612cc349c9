"""Draw the sample's scene beside its mask: the picture at the top of README.md.

    python -m pipeline run configs/satellite.yaml
    python -m pipeline sample satellite out/sample
    python docs/images/satellite.py out/sample/satellite.tif out/satellite.zarr docs/images/satellite.png

The picture shows the overview of the store that is one eighth as wide as the scene, and the scene at the same size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import xarray
from PIL import Image, ImageDraw, ImageFont

LEVEL = "3"
"""The overview that is drawn: 512 × 512 px of 80 m."""
RED, GREEN, BLUE = 3, 2, 1
"""Bands of the sample, counted from 1."""
GAMMA, HEADROOM = 0.7, 1.5
GAP, TITLE, LEGEND, SWATCH = 16, 34, 44, 18
INK, NODATA = (34, 34, 34), (214, 214, 214)


def draw(scene: Path, store: Path, picture: Path) -> None:
    """Write the picture as a PNG of at most 256 colours, which keeps it below 300 kB."""
    level = xarray.open_zarr(store, group=LEVEL, mask_and_scale=False)
    left = Image.fromarray(true_colours(scene, level.mask.shape))
    names, colours = class_table(level.mask.attrs)
    right = Image.fromarray(coloured(level.mask.values, colours))
    canvas = Image.new("RGB", (left.width + right.width + 3 * GAP, left.height + TITLE + LEGEND), "white")
    for image, x, title in ((left, GAP, "scene"), (right, left.width + 2 * GAP, "mask")):
        canvas.paste(image, (x, TITLE))
        write(canvas, (x, 8), title)
    legend(canvas, (left.width + 2 * GAP, TITLE + left.height + 12), names, colours)
    canvas.quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def true_colours(scene: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Red, green and blue ``(rows, cols, 3)``.

    They are stretched over the darkest 80 % of the valid pixels, so that clouds leave colours for the ground.
    """
    with rasterio.open(scene) as raster:
        bands = raster.read(
            (RED, GREEN, BLUE), out_shape=(3, *shape), resampling=rasterio.enums.Resampling.average, masked=True
        )
    low, high = np.percentile(bands.compressed(), (1, 80))
    stretched = np.clip((bands.filled(low).astype(np.float32) - low) / (HEADROOM * (high - low)), 0, 1) ** GAMMA
    pixels = (255 * stretched).astype(np.uint8).transpose(1, 2, 0)
    pixels[np.ma.getmaskarray(bands).all(axis=0)] = NODATA
    return pixels


def class_table(attributes: dict[str, str]) -> tuple[list[str], list[tuple[int, ...]]]:
    """Names and colours of the classes, in the order of their codes, which the sample counts from 0."""
    colours = [tuple(bytes.fromhex(colour[1:])) for colour in attributes["flag_colors"].split()]
    return attributes["flag_meanings"].split(), colours


def coloured(codes: npt.NDArray[np.uint8], colours: list[tuple[int, ...]]) -> npt.NDArray[np.uint8]:
    """Class codes ``(rows, cols)`` as colours ``(rows, cols, 3)``; 255 is nodata."""
    table = np.full((256, 3), NODATA, dtype=np.uint8)
    table[: len(colours)] = colours
    return table[codes]


def legend(canvas: Image.Image, corner: tuple[int, int], names: list[str], colours: list[tuple[int, ...]]) -> None:
    """Write a row of swatches with the names of the classes, and nodata as the last."""
    x, y = corner
    for name, colour in zip([*names, "no data"], [*colours, NODATA], strict=True):
        ImageDraw.Draw(canvas).rectangle((x, y, x + SWATCH, y + SWATCH), fill=colour, outline=INK)
        write(canvas, (x + SWATCH + 6, y), name)
        x += SWATCH + 20 + int(ImageFont.load_default(size=15).getlength(name))


def write(canvas: Image.Image, corner: tuple[int, int], text: str) -> None:
    """Write one line of text."""
    ImageDraw.Draw(canvas).text(corner, text, fill=INK, font=ImageFont.load_default(size=15))


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:4]))
