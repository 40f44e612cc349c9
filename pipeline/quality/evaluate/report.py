"""An evaluation in words and numbers: a document for programs, a table for people."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.privacy.concealed import safe_document, safe_text
from pipeline.quality.evaluate.plot import draw_evaluation
from pipeline.quality.evaluate.result import Evaluation, evaluation_lines
from pipeline.store.reader import StoreLevel


def evaluation_document(evaluation: Evaluation, store: StoreLevel, labels: str) -> dict[str, Any]:
    """All numbers, as JSON takes them: what cannot be said is null."""
    columns = evaluation.columns()
    return {
        "store": str(store.path),
        "level": store.level,
        "layer": store.layer,
        "labels": labels,
        "blocks": {"committed": evaluation.committed, "all": evaluation.blocks},
        "pixels": {"labelled": evaluation.confusion.pixels, "nodata": evaluation.nodata, "ignored": evaluation.ignored},
        **{name: json_number(value) for name, value in evaluation.totals().items()},
        "boundary_tolerance_px": evaluation.boundaries.tolerance,
        "classes": [
            {
                "code": row.code,
                "name": row.name,
                **{name: json_number(float(values[k])) for name, values in columns.items()},
                "labelled": int(evaluation.confusion.labelled[k]),
                "predicted": int(evaluation.confusion.predicted[k]),
                "hits": int(evaluation.confusion.hits[k]),
            }
            for k, row in enumerate(evaluation.classes)
        ],
        "confusion": {
            "rows": "labels, in the order of classes",
            "columns": "predictions, then none",
            "counts": evaluation.confusion.counts.tolist(),
        },
    }


def json_number(value: float) -> float | None:
    """A number as JSON takes it: null for NaN."""
    return None if np.isnan(value) else value


def print_evaluation(
    evaluation: Evaluation, store: StoreLevel, labels: str, to_json: str | None = None, png: Path | None = None
) -> None:
    """Print the table, or the document where it goes to ``-``; write what is asked for.

    Raises
    ------
    InputError
        A file cannot be written.
    ExtraError
        The picture needs the extra ``plots``.
    """
    if png is not None:
        write_file(png, draw_evaluation(evaluation, f"{store.path.name} against {PurePath(safe_text(labels)).name}"))
    text = json.dumps(safe_document(evaluation_document(evaluation, store, labels)), indent=2)
    if to_json is not None and to_json != "-":
        write_file(Path(to_json), f"{text}\n".encode())
    print(text if to_json == "-" else "\n".join(evaluation_lines(evaluation, store, labels)))


def area_of(text: str | None, grid: Grid) -> Window | None:
    """``row,col,height,width`` → a window of the grid. Raises InputError."""
    if text is None:
        return None
    numbers = [int(part) for part in text.split(",") if part.strip().isdigit()]
    window = (
        Window(row=numbers[0], col=numbers[1], height=numbers[2], width=numbers[3])
        if len(numbers) == text.count(",") + 1 == 4
        else None
    )
    if window is None or not window.pixels or window.clip(grid.height, grid.width) != window:
        raise InputError(
            f"--area {text} is no part of {grid.height} × {grid.width} px. Give ROW,COL,HEIGHT,WIDTH, four "
            f"whole numbers, such as 0,0,512,512."
        )
    return window


def write_file(path: Path, data: bytes) -> None:
    """Write a file that was asked for; raises InputError where that cannot be."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}). Give a file in a folder that is there and can be written."
        ) from error
