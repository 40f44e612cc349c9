"""An evaluation in a picture: where labels of each class went, and the scores of each class."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.quality.evaluate.confusion import PerClass
from pipeline.quality.evaluate.result import HEADINGS, TOTALS, Evaluation, number
from pipeline.runtime.optional_imports import require

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
SHADES = ("#f7f9fb", "#c9dcee", "#7fb0d6", "#2f78b3", "#0b3c6f")
"""From no pixel of a row to all of them."""
BARS = {"iou": "#0b3c6f", "f1": "#7fb0d6", "boundary_f1": "#e08e45"}
NUMBERED = 16
"""Classes up to which cells and bars carry their numbers."""
LARGEST = 9.0
"""Side of the matrix at the most, inches; beyond that letters shrink."""
STRIPE = 6
"""Width of a class's colour, pt."""
DPI = 150


def draw_evaluation(evaluation: Evaluation, title: str) -> bytes:
    """Draw a PNG.

    Parameters
    ----------
    evaluation
        The evaluation.
    title
        Above the picture.

    Raises
    ------
    ExtraError
        Matplotlib is not installed.
    """
    require("matplotlib", "plots", "A picture of an evaluation")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    side = min(max(0.62 * len(evaluation.classes), 3.2), LARGEST)
    figure = Figure(
        figsize=(2 * side + 4.2, side + 2.1),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
        facecolor="white",
    )
    matrix, bars = figure.subplots(1, 2)
    figure.suptitle(title, x=0.015, ha="left", fontsize=13, fontweight="bold", color=_INK)
    _matrix(matrix, evaluation)
    _bars(bars, evaluation)
    for axes in (matrix, bars):
        axes.tick_params(axis="both", labelsize=min(9.0, 60 * side / len(evaluation.classes) * 0.85))
    figure.supxlabel(_totals(evaluation), x=0.015, ha="left", fontsize=9, color=_FAINT)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": "wholecloth"})
    return buffer.getvalue()


def _matrix(axes: Any, evaluation: Evaluation) -> None:
    """Labels by row, predictions by column, each row as shares of its labels."""
    from matplotlib.colors import LinearSegmentedColormap

    counts = evaluation.confusion.counts if evaluation.confusion.unpredicted else evaluation.confusion.counts[:, :-1]
    shares = counts / np.maximum(evaluation.confusion.labelled, 1)[:, None]
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("shares", SHADES), vmin=0, vmax=1)
    names = [row.name for row in evaluation.classes]
    predicted = [*names, "no prediction"][: counts.shape[1]]
    turned = (
        {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        if len(names) > 6 or max(map(len, predicted)) > 6
        else {}
    )
    axes.set_xticks(range(len(predicted)), predicted, **turned)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    axes.set_anchor("N")
    axes.set_title("Where the labels of each class went", loc="left", fontsize=10, color=_INK)
    _quiet(axes)
    if len(names) <= NUMBERED:
        _numbers(axes, shares, evaluation.confusion.labelled)


def _numbers(axes: Any, shares: PerClass, labelled: npt.NDArray[np.int64]) -> None:
    """The share in each cell; a dash in the row of a class that is never labelled."""
    for (row, col), share in np.ndenumerate(shares):
        color = "white" if share > 0.55 else _INK if share >= 5e-4 else _FAINT
        axes.text(col, row, f"{share:.3f}" if labelled[row] else "–", ha="center", va="center", fontsize=8, color=color)


def _bars(axes: Any, evaluation: Evaluation) -> None:
    """Scores of each class, in the order of the matrix, with a stripe of the class's own colour."""
    columns, places = evaluation.columns(), np.arange(len(evaluation.classes))
    thick = 0.8 / len(BARS)
    for k, (name, color) in enumerate(BARS.items()):
        values = columns[name]
        where = places + (k - (len(BARS) - 1) / 2) * thick
        axes.barh(where, np.nan_to_num(values), height=thick * 0.86, color=color, label=HEADINGS[name])
        if len(places) <= NUMBERED:
            for y, value in zip(where, values, strict=True):
                axes.text(np.nan_to_num(value) + 0.012, y, number(value), va="center", fontsize=7, color=_INK)
    _stripes(axes, evaluation)
    axes.set_yticks(places, [row.name for row in evaluation.classes])
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xlim(0, 1.09)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.grid(True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title("Scores of each class", loc="left", fontsize=10, color=_INK)
    _quiet(axes)
    axes.tick_params(axis="y", pad=STRIPE + 6)
    axes.legend(
        ncols=len(BARS), frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.09), labelcolor=_INK
    )


def _stripes(axes: Any, evaluation: Evaluation) -> None:
    """The colour of each class, between its name and its bars."""
    from matplotlib.transforms import ScaledTranslation

    stripe_transform = axes.get_yaxis_transform() + ScaledTranslation(
        -(STRIPE / 2 + 3) / 72, 0, axes.figure.dpi_scale_trans
    )
    for place, row in enumerate(evaluation.classes):
        axes.plot(
            [0, 0],
            [place - 0.4, place + 0.4],
            transform=stripe_transform,
            color=row.color,
            linewidth=STRIPE,
            solid_capstyle="butt",
            clip_on=False,
        )


def _quiet(axes: Any) -> None:
    axes.tick_params(length=0, colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _totals(evaluation: Evaluation) -> str:
    scores = [f"{TOTALS[name]} {number(value)}" for name, value in evaluation.totals().items()]
    count = evaluation.confusion.pixels
    unpredicted = f"{evaluation.confusion.unpredicted / count:.2%} without a prediction"
    return (
        f"{'   '.join(scores)}\n{count:,} labelled pixels, {unpredicted}; boundaries match within "
        f"{evaluation.boundaries.tolerance} px"
    )
