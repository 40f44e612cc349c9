"""What an evaluation found: counts, the numbers made of them, and a table of them in lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.privacy.concealed import safe_text
from pipeline.quality.evaluate.boundary_f1 import Boundaries
from pipeline.quality.evaluate.confusion import Confusion, PerClass, mean
from pipeline.store.reader import StoreLevel
from pipeline.store.spec import ClassRow


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was counted."""

    classes: tuple[ClassRow, ...]
    """Those that are judged: all but those of role ``ignore``."""
    confusion: Confusion
    boundaries: Boundaries
    nodata: int
    """Labelled pixels that are nodata in the layer; misses."""
    ignored: int
    """Labelled pixels whose prediction is a class of role ``ignore``; misses."""
    committed: int
    """Blocks of the store that are committed."""
    blocks: int
    """Blocks of the store."""

    def columns(self) -> dict[str, PerClass]:
        """What is said of each class, (classes,) each."""
        confusion = self.confusion
        return {
            "iou": confusion.iou(),
            "f1": confusion.f1(),
            "precision": confusion.precision(),
            "recall": confusion.recall(),
            "boundary_f1": self.boundaries.f1(),
        }

    def totals(self) -> dict[str, float]:
        """What is said of all classes together."""
        columns = self.columns()
        return {
            "mean_iou": mean(columns["iou"]),
            "weighted_iou": self.confusion.weighted_iou(),
            "mean_f1": mean(columns["f1"]),
            "mean_boundary_f1": mean(columns["boundary_f1"]),
            "accuracy": self.confusion.accuracy(),
            "kappa": self.confusion.kappa(),
        }


HEADINGS = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "boundary_f1": "boundary F1"}
TOTALS = {
    "mean_iou": "mean IoU",
    "weighted_iou": "frequency-weighted IoU",
    "mean_f1": "mean F1",
    "mean_boundary_f1": "mean boundary F1",
    "accuracy": "overall accuracy",
    "kappa": "kappa",
}


def evaluation_lines(evaluation: Evaluation, store: StoreLevel, labels: str) -> list[str]:
    """The table, line by line."""
    facts = [f"{name:<7}  {text}" for name, text in fact_rows(evaluation, store, labels)]
    return [*facts, "", *_per_class(evaluation), "", *_totals(evaluation)]


def fact_rows(evaluation: Evaluation, store: StoreLevel, labels: str) -> list[tuple[str, str]]:
    """What was judged: names and values."""
    count = evaluation.confusion.pixels
    rows = [
        ("store", f"{store.path}, level {store.level}"),
        ("layer", store.layer),
        ("labels", safe_text(labels)),
        ("judged", f"{count:,} labelled pixels of {store.grid.height * store.grid.width:,}"),
        ("missed", f"{evaluation.nodata:,} of them are nodata in it ({evaluation.nodata / count:.2%})"),
    ]
    if evaluation.ignored:
        rows.append(
            ("", f"{evaluation.ignored:,} are predicted as a class of role ignore ({evaluation.ignored / count:.2%})")
        )
    if evaluation.committed < evaluation.blocks:
        rows.append(
            ("partial", f"{evaluation.committed} of {evaluation.blocks} blocks are committed; the others do not count")
        )
    return rows


def _per_class(evaluation: Evaluation) -> list[str]:
    width = max(len("class"), *(len(row.name) for row in evaluation.classes))
    columns, share = evaluation.columns(), evaluation.confusion.labelled / evaluation.confusion.pixels
    heads = [*HEADINGS.values(), "labelled"]
    rows = [
        [number(values[k]) for values in columns.values()] + [f"{share[k]:.2%}"] for k in range(len(evaluation.classes))
    ]
    wide = [max(len(head), 7) for head in heads]
    table = [("class", heads), *((row.name, cells) for row, cells in zip(evaluation.classes, rows, strict=True))]
    return [
        "  ".join([f"{name:<{width}}", *(f"{cell:>{w}}" for cell, w in zip(cells, wide, strict=True))])
        for name, cells in table
    ]


def _totals(evaluation: Evaluation) -> list[str]:
    width = max(map(len, TOTALS.values()))
    scores = [f"{TOTALS[name]:<{width}}  {number(value)}" for name, value in evaluation.totals().items()]
    return [*scores, "", f"Boundaries match within {evaluation.boundaries.tolerance} px."]


def number(value: float) -> str:
    """Three digits, or a dash where nothing can be said."""
    return "–" if np.isnan(value) else f"{value:.3f}"
