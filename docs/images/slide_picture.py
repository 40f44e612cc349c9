"""Draw the sample's slide beside its mask: the picture of docs/slides.md.

    python -m pipeline run configs/slide.yaml
    python -m pipeline sample slide out/sample
    python docs/images/slide_picture.py out/sample/slide.svs out/slide.zarr docs/images/slide.png

Both show the slide at the size of the store's overview of 16 µm per px.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tifffile
import xarray
from PIL import Image
from satellite import GAP, LEGEND, TITLE, class_table, coloured, legend, write

LEVEL = "3"
"""The overview that is drawn."""
COARSEST = 3
"""Page of the slide's coarsest level, after level 0, the thumbnail and level 1."""


def draw(slide: Path, store: Path, picture: Path) -> None:
    """Write the picture as a PNG of at most 256 colours."""
    level = xarray.open_zarr(store, group=LEVEL, mask_and_scale=False)
    height, width = level.mask.shape
    glass = Image.fromarray(tifffile.imread(slide, key=COARSEST)).resize((width, height), Image.Resampling.BOX)
    names, colours = class_table(level.mask.attrs)
    mask = Image.fromarray(coloured(np.asarray(level.mask), colours))
    canvas = Image.new("RGB", (2 * width + 3 * GAP, height + TITLE + LEGEND), "white")
    for image, x, title in ((glass, GAP, "slide"), (mask, width + 2 * GAP, "mask")):
        canvas.paste(image, (x, TITLE))
        write(canvas, (x, 8), title)
    legend(canvas, (width + 2 * GAP, TITLE + height + 12), names, colours)
    canvas.quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:4]))
