"""Marks of pens on the glass, over tissue where they cross it."""

from __future__ import annotations

import numpy as np

from pipeline.geometry.window import Window
from pipeline.sources.samples.histology.layout import SlideLayout, Stroke
from pipeline.sources.samples.histology.plane import PlaneArray, WindowPlane
from pipeline.sources.samples.noise import Field

COVER = 0.94
"""Share of the light that ink takes of the colours that it takes at all."""
SOFT = 30.0
"""px over which a stroke fades at its edge."""


def strokes_near(window: Window, layout: SlideLayout) -> list[Stroke]:
    """Strokes that may touch a window."""
    return [stroke for stroke in layout.strokes if any(_is_near(window, stroke, *line) for line in _lines(stroke))]


def inked(picture: PlaneArray, window: Window, layout: SlideLayout, strokes: list[Stroke]) -> Field:
    """Draw strokes over a picture.

    Parameters
    ----------
    picture
        (rows, cols, 3) float32, changed.
    window, layout
        Of the picture.
    strokes
        Those that may touch the window.

    Returns
    -------
    Field
        (rows, cols) how much of each pixel is ink, 0…1.
    """
    plane, total = WindowPlane(window), np.zeros((window.height, window.width), dtype=np.float32)
    streaks = 0.85 + 0.15 * plane.smooth(45, layout.seed_of(90))
    for stroke in strokes:
        cover = _cover(plane, window, stroke)
        picture *= 1 - COVER * (cover * streaks)[..., None] * (1 - np.array(stroke.ink, dtype=np.float32) / 255)
        total = np.maximum(total, cover)
    return total


def _cover(plane: WindowPlane, window: Window, stroke: Stroke) -> Field:
    """(rows, cols) of one stroke, 0…1."""
    distance = np.full((window.height, window.width), np.inf, dtype=np.float32)
    for first, last in _lines(stroke):
        if _is_near(window, stroke, first, last):
            distance = np.minimum(distance, _distance(plane, first, last))
    return np.asarray(np.clip((stroke.width / 2 - distance) / SOFT + 0.5, 0, 1), dtype=np.float32)


def _distance(plane: WindowPlane, first: tuple[float, float], last: tuple[float, float]) -> PlaneArray:
    """Distance of each pixel from a line between two points, px."""
    down, across = last[0] - first[0], last[1] - first[1]
    rows, cols = plane.rows - np.float32(first[0]), plane.cols - np.float32(first[1])
    along = (rows * np.float32(down) + cols * np.float32(across)) / np.float32(down**2 + across**2)
    along = np.clip(along, 0, 1)
    return np.hypot(rows - along * np.float32(down), cols - along * np.float32(across))


def _lines(stroke: Stroke) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(stroke.points[:-1], stroke.points[1:], strict=True))


def _is_near(window: Window, stroke: Stroke, first: tuple[float, float], last: tuple[float, float]) -> bool:
    reach = stroke.width / 2 + SOFT
    spans = (window.rows, window.cols)
    return all(
        min(start, end) - reach < span.stop and max(start, end) + reach > span.start
        for span, start, end in zip(spans, first, last, strict=True)
    )
