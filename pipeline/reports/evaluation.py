"""The page of an evaluation: where a layer is wrong, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import InputError
from pipeline.exports.scale_bar import scale_bar
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.quality.evaluate.number_report import NUMBER_HEADINGS, NUMBER_NOTE, number_facts, score_cells
from pipeline.quality.evaluate.numbers import NumberEvaluation
from pipeline.quality.evaluate.report import write_file
from pipeline.quality.evaluate.result import TOTALS, Evaluation, fact_rows, number
from pipeline.quality.evaluate.samples import MAX_SAMPLED_SIDE, PairSamples
from pipeline.reports import error_maps, pictures
from pipeline.reports.confusion import confusion_context
from pipeline.reports.render import render_page
from pipeline.reports.rows import Row, share_text
from pipeline.store.files import belongs_to_others
from pipeline.store.picture import open_picture
from pipeline.store.reader import StoreLevel

MAX_MAPPED_CHANNELS = 2
"""Channels that have maps."""


def require_evaluation_page(file: Path, store: Place) -> None:
    """Raise InputError where a file stands in the place of a page that is no page of an evaluation of that store."""
    if belongs_to_others(file, _mark(store)):
        raise InputError(
            f"{file} exists, is no page of an evaluation of {store.name}, and was left as it is. Give another file "
            f"with --html, or move it away."
        )


def write_class_page(
    file: Path, store: StoreLevel, evaluation: Evaluation, samples: PairSamples, labels: str, options: Sequence[Row]
) -> None:
    """Write the page of a layer of classes.

    Parameters
    ----------
    file
        Replaced where it is a page of the same store.
    store
        The level that was judged.
    evaluation, samples
        What was counted, and the pixels that are drawn.
    labels
        File of the labels.
    options
        What else was given: names and values.

    Raises
    ------
    InputError
        The file cannot be written, or is foreign.
    """
    confusion, columns = evaluation.confusion, evaluation.columns()
    labelled, classes = confusion.labelled, evaluation.classes
    _write(
        file,
        store,
        samples,
        facts=[*fact_rows(evaluation, store, labels), *options],
        maps=error_maps.class_maps(samples, classes, store.layer),
        legend=classes,
        totals=[(TOTALS[name], number(value)) for name, value in evaluation.totals().items()],
        tolerance=evaluation.boundaries.tolerance,
        **confusion_context(classes, confusion),
        rests=[
            f"F1 {number(f1)}, boundary F1 {number(boundary)}; {count:,} px"
            for f1, boundary, count in zip(columns["f1"], columns["boundary_f1"], labelled, strict=True)
        ],
        right=share_text(confusion.accuracy()),
        pixels=int(labelled.sum()),
        channels=(),
    )


def write_number_page(
    file: Path,
    store: StoreLevel,
    evaluation: NumberEvaluation,
    samples: Sequence[PairSamples],
    labels: str,
    options: Sequence[Row],
) -> None:
    """Write the page of a layer of values; parameters and errors are those of `write_class_page`.

    Samples are those of the first channels.
    """
    pairs = zip(evaluation.channels, samples, strict=False)
    _write(
        file,
        store,
        samples[0],
        facts=[*number_facts(evaluation, store, labels), *options],
        maps=[one for score, kept in pairs for one in error_maps.number_maps(kept, score.name)],
        legend=(),
        totals=(),
        scores=(),
        headings=[*NUMBER_HEADINGS.values(), "px", "missed"],
        channels=[(score.name, score_cells(score)) for score in evaluation.channels],
        note=NUMBER_NOTE,
    )


def _write(file: Path, store: StoreLevel, samples: PairSamples, **context: Any) -> None:
    require_evaluation_page(file, store.path)
    window = samples.window
    length, bar_text = scale_bar(store.grid, window.width)
    text = render_page(
        "evaluation.html",
        mark=_mark(store.path),
        name=store.path.name,
        kind="evaluation",
        image=_image(store, window),
        step=samples.step,
        bar=(length / window.width, bar_text),
        **context,
    )
    write_file(file, text.encode())


def _mark(store: Place) -> str:
    return f"wholecloth-evaluation store={quote(store.name, safe='')} "


def _image(store: StoreLevel, window: Window) -> pictures.PagePicture | None:
    """The picture of the source in the window that was judged; None where the store keeps none."""
    picture = open_picture(store.path)
    if picture is None:
        return None
    scale = 2**store.level / picture.scale
    row, col = int(window.row * scale), int(window.col * scale)
    height, width = (max(1, round(length * scale)) for length in (window.height, window.width))
    inside = Window(row=row, col=col, height=height, width=width).clip(picture.height, picture.width)
    return pictures.source_map(picture, inside, MAX_SAMPLED_SIDE) if inside.pixels else None
