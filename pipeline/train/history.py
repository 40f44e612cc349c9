"""What was seen round by round, as a table and as a picture."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.runtime.optional_imports import require
from pipeline.train.files import replace_text

KEEP = 12
"""Classes that have a curve of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round."""

    round: int
    """From 1."""
    step: int
    """Steps so far."""
    loss: float
    """Mean over the round's steps."""
    rate: float
    """Learning rate after the round."""
    mean_iou: float
    """Of the held-out blocks."""
    accuracy: float
    iou: dict[str, float]
    """Per class; NaN for one that is neither labelled nor predicted there."""
    counts: list[list[int]] = field(default_factory=list)
    """The confusion matrix; empty in a round that an earlier release judged."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)


def write_csv(rows: list[Row], path: Path) -> Path:
    """One line per round; replaced at once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["round", "step", "loss", "rate", "mean_iou", "accuracy", *(f"iou {name}" for name in rows[0].iou)])
    for row in rows:
        numbers = (row.loss, row.rate, row.mean_iou, row.accuracy, *row.iou.values())
        writer.writerow([row.round, row.step, *(f"{number:.6g}" for number in numbers)])
    return replace_text(path, text.getvalue())


def draw_curves(rows: list[Row], colors: dict[str, str], path: Path) -> Path:
    """Loss and IoU against steps.

    Parameters
    ----------
    rows
        At least one.
    colors
        #rrggbb of each class.
    path
        PNG, replaced at once.

    Raises
    ------
    ExtraError
        matplotlib is not installed.
    """
    require("matplotlib", "plots", "Drawing learning curves")
    from matplotlib.figure import Figure
    from matplotlib.patheffects import Normal, Stroke

    rim = [Stroke(linewidth=2.5, foreground="#777777"), Normal()]  # pale classes would vanish on white
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [row.step for row in rows]
    losses = [row.loss for row in rows]
    left.plot(steps, losses, "o-", ms=3, color="#333333")
    left.set(
        xlabel="steps",
        ylabel="mean loss of the round",
        yscale="log" if max(losses) > 10 * min(losses) > 0 else "linear",
    )
    for name in list(rows[0].iou)[:KEEP]:
        right.plot(
            steps, [row.iou[name] for row in rows], ".-", lw=1.5, color=colors[name], label=name, path_effects=rim
        )
    right.plot(steps, [row.mean_iou for row in rows], "o-", ms=3, color="black", label="mean")
    right.set(xlabel="steps", ylabel="IoU of the held-out blocks", ylim=(0, 1.02))
    right.legend(fontsize="small", loc="lower right")
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, dpi=110, format="png")
    return partial.replace(path)
