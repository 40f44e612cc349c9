"""The page of a training: how it went, what the weights reach, and what they make of held-out blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.reports.confusion import confusion_context
from pipeline.reports.error_maps import PageMap, class_maps
from pipeline.reports.page import yaml_text
from pipeline.reports.pictures import raw_map
from pipeline.reports.render import render_page
from pipeline.reports.rows import Row
from pipeline.store.files import belongs_to_others
from pipeline.store.spec import ClassRow

MAX_CURVES = 12
"""Classes that have a curve of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Numbers of a training, round by round."""

    name: str
    color: str
    """Empty for the colour of the page."""
    steps: Sequence[int]
    values: Sequence[float]
    """NaN where nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutBlock:
    """A held-out block."""

    place: str
    values: npt.NDArray[np.float32]
    """(bands, rows, cols) raw pixels of one band, or of red, green and blue."""
    valid: npt.NDArray[np.bool_]
    """(rows, cols)."""
    samples: PairSamples
    """Indexes of the classes of labels and prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingContent:
    """All that the page shows."""

    weights: str
    """Name of their file."""
    classes: Sequence[ClassRow]
    best: int
    """The round whose weights were kept."""
    rounds: int
    mean_iou: float
    accuracy: float
    """Both of the best round."""
    curves: Sequence[Curve]
    """Loss, mean IoU, and IoU of each class."""
    confusion: Confusion
    """Of the best round; empty where it is not known."""
    examples: Sequence[HeldOutBlock]
    facts: Sequence[Row]
    config: Mapping[str, Any]
    """As it was given."""
    versions: Sequence[Row]


def require_training_page(file: Path, weights: str) -> None:
    """Raise ConfigError where a file stands in the place of a page that is none of a training of these weights."""
    if belongs_to_others(file, _mark(weights)):
        raise ConfigError(
            f"{file} exists, is no page of a training of {weights}, and was left as it is. Move it away, or give "
            f"another model.path."
        )


def render_training(content: TrainingContent) -> str:
    """The page as HTML; whatever stands in names is shown as text."""
    loss, *scores = content.curves
    highest = max(loss.values) or 1.0
    has_counts = content.confusion.pixels > 0
    tables = confusion_context(content.classes, content.confusion) if has_counts else {}
    return render_page(
        "training.html",
        mark=_mark(content.weights),
        name=content.weights,
        kind="training",
        content=content,
        loss=(_points(loss, highest), f"{highest:.3g}"),
        lines=[(curve.name, curve.color, _points(curve, 1.0)) for curve in scores[: MAX_CURVES + 1]],
        last_step=loss.steps[-1],
        rests=[f"{count:,} px judged" for count in content.confusion.labelled.tolist()],
        scores=tables.get("scores"),
        tables=tables,
        examples=[(example.place, _maps(example, content.classes)) for example in content.examples],
        config=yaml_text(dict(content.config)),
    )


def _mark(weights: str) -> str:
    return f"wholecloth-training weights={quote(weights, safe='')} "


def _points(curve: Curve, highest: float) -> list[tuple[float, float]]:
    """(x, y) from 0 to 100 of the numbers that are known, from the upper left."""
    pairs = zip(curve.steps, curve.values, strict=True)
    last = curve.steps[-1]
    return [(100 * step / last, 100 - 100 * value / highest) for step, value in pairs if math.isfinite(value)]


def _maps(example: HeldOutBlock, classes: Sequence[ClassRow]) -> list[PageMap]:
    labels, prediction, missed, _ = class_maps(example.samples, classes, "prediction")
    image = PageMap(title="image", caption="raw pixels", picture=raw_map(example.values, example.valid))
    return [image, labels, prediction, missed]
