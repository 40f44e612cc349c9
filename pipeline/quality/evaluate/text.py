"""An evaluation as lines of a table."""

from __future__ import annotations

import numpy as np

from pipeline.quality.evaluate.result import Evaluation
from pipeline.redact import public
from pipeline.store.reader import Opened

HEADINGS = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "boundary_f1": "boundary F1"}
TOTALS = {
    "mean_iou": "mean IoU", "weighted_iou": "frequency-weighted IoU", "mean_f1": "mean F1", "mean_boundary_f1": "mean boundary F1",
    "accuracy": "overall accuracy", "kappa": "kappa",
}  # fmt: skip


def lines(found: Evaluation, store: Opened, labels: str) -> list[str]:
    """The table, line by line."""
    return [*_facts(found, store, labels), "", *_per_class(found), "", *_totals(found)]


def _facts(found: Evaluation, store: Opened, labels: str) -> list[str]:
    count = found.confusion.pixels
    said = [
        ("store", f"{store.path}, level {store.level}"),
        ("labels", public(labels)),
        ("judged", f"{count:,} labelled pixels of {store.grid.height * store.grid.width:,}"),
        ("missed", f"{found.nodata:,} of them are nodata in the mask ({found.nodata / count:.2%})"),
    ]
    if found.ignored:
        said.append(("", f"{found.ignored:,} are predicted as a class of role ignore ({found.ignored / count:.2%})"))
    if found.committed < found.blocks:
        said.append(("partial", f"{found.committed} of {found.blocks} blocks are committed; the others do not count"))
    return [f"{name:<7}  {text}" for name, text in said]


def _per_class(found: Evaluation) -> list[str]:
    width = max(len("class"), *(len(row.name) for row in found.classes))
    columns, share = found.columns(), found.confusion.labelled / found.confusion.pixels
    heads = [*HEADINGS.values(), "labelled"]
    rows = [[number(values[k]) for values in columns.values()] + [f"{share[k]:.2%}"] for k in range(len(found.classes))]
    wide = [max(len(head), 7) for head in heads]
    table = [("class", heads), *((row.name, cells) for row, cells in zip(found.classes, rows, strict=True))]
    return ["  ".join([f"{name:<{width}}", *(f"{cell:>{w}}" for cell, w in zip(cells, wide, strict=True))]) for name, cells in table]


def _totals(found: Evaluation) -> list[str]:
    width = max(map(len, TOTALS.values()))
    said = [f"{TOTALS[name]:<{width}}  {number(value)}" for name, value in found.totals().items()]
    return [*said, "", f"Boundaries match within {found.boundaries.tolerance} px."]


def number(value: float) -> str:
    """Three digits, or a dash where nothing can be said."""
    return "–" if np.isnan(value) else f"{value:.3f}"
