"""An evaluation of numbers: a document for programs, a table for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.privacy.concealed import safe_document, safe_text
from pipeline.quality.evaluate.numbers import ChannelScore, NumberEvaluation
from pipeline.quality.evaluate.report import json_number, write_file
from pipeline.store.reader import StoreLevel

NUMBER_NOTE = "Errors are stored numbers less labels; missed are labelled pixels that hold no number."
NUMBER_HEADINGS = {"rmse": "RMSE", "mae": "MAE", "bias": "bias", "r2": "R²"}


def number_document(evaluation: NumberEvaluation, store: StoreLevel, labels: str) -> dict[str, Any]:
    """All numbers, as JSON takes them: what cannot be said is null."""
    return {
        "store": str(store.path),
        "level": store.level,
        "layer": store.layer,
        "labels": labels,
        "blocks": {"committed": evaluation.committed, "all": evaluation.blocks},
        "channels": [
            {
                "name": score.name,
                "pixels": score.pixels,
                "missed": score.missed,
                **{name: json_number(getattr(score, name)) for name in NUMBER_HEADINGS},
            }
            for score in evaluation.channels
        ],
    }


def number_lines(evaluation: NumberEvaluation, store: StoreLevel, labels: str) -> list[str]:
    """The table, line by line."""
    facts = number_facts(evaluation, store, labels)
    width = max(len("channel"), *(len(score.name) for score in evaluation.channels))
    head = _line("channel", [*NUMBER_HEADINGS.values(), "px", "missed"], width)
    rows = [_line(score.name, score_cells(score), width) for score in evaluation.channels]
    return [*(f"{name:<7}  {text}" for name, text in facts), "", head, *rows, "", NUMBER_NOTE]


def number_facts(evaluation: NumberEvaluation, store: StoreLevel, labels: str) -> list[tuple[str, str]]:
    """What was judged: names and values."""
    facts = [("store", f"{store.path}, level {store.level}"), ("layer", store.layer), ("labels", safe_text(labels))]
    if evaluation.committed < evaluation.blocks:
        partial = f"{evaluation.committed} of {evaluation.blocks} blocks are committed; the others do not count"
        facts.append(("partial", partial))
    return facts


def print_numbers(evaluation: NumberEvaluation, store: StoreLevel, labels: str, to_json: str | None = None) -> None:
    """Print the table, or the document where it goes to ``-``; write it where a file is given.

    Raises InputError where the file cannot be written.
    """
    text = json.dumps(safe_document(number_document(evaluation, store, labels)), indent=2)
    if to_json is not None and to_json != "-":
        write_file(Path(to_json), f"{text}\n".encode())
    print(text if to_json == "-" else "\n".join(number_lines(evaluation, store, labels)))


def score_cells(score: ChannelScore) -> list[str]:
    """Scores, pixels and missed pixels of a channel, as text."""
    numbers = (getattr(score, name) for name in NUMBER_HEADINGS)
    return [*("–" if value != value else f"{value:.5g}" for value in numbers), f"{score.pixels:,}", f"{score.missed:,}"]


def _line(name: str, cells: list[str], width: int) -> str:
    return "  ".join([f"{name:<{width}}", *(f"{cell:>11}" for cell in cells)])
