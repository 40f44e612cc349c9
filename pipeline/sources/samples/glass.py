"""Photographs of a slide's glass: the paper label with an invented name, and the macro image that shows both.

The name stands there, and in the header, as on many slides of a clinic: so anybody can see that no output has it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.sources.samples.svs import Rgb

INVENTED_NAME = "Quellmann, Wilhelmina"
"""Nobody's name."""
CASE = "S26-04711"
PAPER, PRINT, MACRO_GLASS = (250, 249, 244), (24, 24, 30), (222, 224, 226)
LABEL_SIDE, MACRO_SIZE = 400, (1200, 400)
"""px; (width, height) of the macro image."""
BAR_COUNT = 60


def label_image(seed: int) -> Rgb:
    """(rows, cols, 3) the paper: name, number, stain and a code of bars."""
    image = Image.new("RGB", (LABEL_SIDE, LABEL_SIDE), PAPER)
    draw = ImageDraw.Draw(image)
    lines = ((INVENTED_NAME, 28), ("* 1957-03-14", 24), (CASE, 44), (f"block {seed % 40 + 1}   H&E", 26))
    top = 26
    for text, height in lines:
        draw.text((24, top), text, fill=PRINT, font=ImageFont.load_default(size=height))
        top += height + 22
    rng = np.random.default_rng((seed, 2))
    for k in np.flatnonzero(rng.random(BAR_COUNT) < 0.5).tolist():
        draw.rectangle((24 + 6 * k, 280, 27 + 6 * k, 370), fill=PRINT)
    return np.asarray(image)


def macro_image(label: Rgb, thumbnail: Rgb) -> Rgb:
    """(rows, cols, 3) the whole glass: its label to the left, its tissue to the right."""
    width, height = MACRO_SIZE
    image = Image.new("RGB", MACRO_SIZE, MACRO_GLASS)
    image.paste(Image.fromarray(label).resize((height - 40, height - 40)), (20, 20))
    side = height - 30
    tissue = Image.fromarray(thumbnail).resize((side, side), Image.Resampling.BOX)
    image.paste(tissue, ((width + height - side) // 2, 15))
    return np.asarray(image)
