"""A confusion matrix as parts of a page: bars of each class, cells with their shades, and the most frequent errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.quality.evaluate.confusion import Confusion
from pipeline.reports.rows import share_text
from pipeline.store.spec import ClassRow

MAX_MATRIX = 24
"""Classes up to which the matrix is shown whole."""
MAX_CONFUSIONS = 8
"""Pairs of classes that are taken for each other most often, which are listed."""
CELL_SHADES = 10
"""Of a cell of the matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Scores of a class."""

    name: str
    color: str
    bars: Sequence[tuple[str, float | None]]
    """IoU, precision and recall; None where nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """Where labels of a class went."""

    name: str
    cells: Sequence[tuple[str, int]]
    """Share as text, and its shade."""
    labelled: int
    """px."""


def confusion_context(classes: Sequence[ClassRow], confusion: Confusion) -> dict[str, Any]:
    """What the parts of a page show of a matrix of these classes."""
    return {
        "scores": _class_scores(classes, confusion),
        "columns": [*(row.name for row in classes), *(["no prediction"] if confusion.unpredicted else [])],
        "matrix": _matrix(classes, confusion) if len(classes) <= MAX_MATRIX else [],
        "confusions": _most_frequent(classes, confusion),
    }


def _class_scores(classes: Sequence[ClassRow], confusion: Confusion) -> list[ClassScores]:
    columns = {"IoU": confusion.iou(), "precision": confusion.precision(), "recall": confusion.recall()}
    return [
        ClassScores(
            name=row.name,
            color=row.color,
            bars=[(name, None if np.isnan(values[k]) else float(values[k])) for name, values in columns.items()],
        )
        for k, row in enumerate(classes)
    ]


def _matrix(classes: Sequence[ClassRow], confusion: Confusion) -> list[MatrixRow]:
    counts = confusion.counts if confusion.unpredicted else confusion.counts[:, :-1]
    return [
        MatrixRow(name=row.name, cells=[_cell(int(count), int(total)) for count in line], labelled=int(total))
        for row, line, total in zip(classes, counts, confusion.labelled, strict=True)
    ]


def _cell(count: int, labelled: int) -> tuple[str, int]:
    if not labelled:
        return "–", 0
    return share_text(count / labelled) if count else "0", round(CELL_SHADES * count / labelled)


def _most_frequent(classes: Sequence[ClassRow], confusion: Confusion) -> list[tuple[str, str, int, str]]:
    """Label, prediction, pixels and share of the labels of the most frequent errors."""
    counts = confusion.counts.copy()
    np.fill_diagonal(counts, 0)
    names = [*(row.name for row in classes), "no prediction"]
    result = []
    for place in np.argsort(-counts, axis=None, kind="stable")[:MAX_CONFUSIONS]:
        label, prediction = divmod(int(place), counts.shape[1])
        if count := int(counts[label, prediction]):
            share = share_text(count / int(confusion.labelled[label]))
            result.append((names[label], names[prediction], count, share))
    return result
