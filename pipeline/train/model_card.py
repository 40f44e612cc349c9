"""The model card: what a network is, what it was taught, and what it reaches (after Mitchell et al. 2019)."""

from __future__ import annotations

import json

from pipeline import __version__
from pipeline.config import TrainingConfig
from pipeline.models.weights import ModelMeta
from pipeline.privacy.concealed import safe_text
from pipeline.train.class_counts import ClassCounts
from pipeline.train.history import Row


def card(
    name: str,
    meta: ModelMeta,
    training: TrainingConfig,
    train_counts: ClassCounts,
    validation_counts: ClassCounts,
    best: Row,
    notes: list[str],
) -> str:
    """The card as Markdown.

    Parameters
    ----------
    name
        Of the weights file.
    meta
        What the file says of itself.
    training
        The training.
    train_counts, validation_counts
        What taught and what judged.
    best
        The round whose weights these are.
    notes
        Further lines: what it started from and what was frozen.
    """
    classes = zip(best.iou.items(), train_counts.total, validation_counts.total, strict=True)
    lines = [
        f"# {name}",
        "",
        f"A `{meta.kind}` network ({_key_values(meta.args)}) that gives each pixel one of "
        f"{len(meta.classes)} classes. Made by wholecloth {__version__}.",
        "",
        "## Use",
        "",
        "```yaml",
        "source: {path: scene.tif}",
        f"model: {{path: {name}}}",
        "output: {path: out/scene.zarr}",
        "```",
        "",
        f"It takes {len(meta.bands)} band{'s' * (len(meta.bands) > 1)} in this order: {', '.join(meta.bands)}. "
        f"Their normalisation is in the file: {_key_values(meta.input)}.",
        *([f"It learnt from pixels of {meta.pixel_size:.3g} m."] if meta.pixel_size else []),
        "It is meant for images like those it was taught with; nothing is known of others.",
        "",
        "## What it was taught",
        "",
        *[f"- {safe_text(scene.name)}, {scene.area}" for scene in train_counts.scenes],
        *[f"- {note}" for note in notes],
        f"- {best.step} of {training.rounds * training.steps} steps of {training.batch} windows of "
        f"{training.window} px, seed {training.seed}",
        "",
        "## What it reaches",
        "",
        f"On held-out blocks ({validation_counts.counts.sum():,} labelled px), through the same tiled "
        f"inference as `run`: mean IoU {best.mean_iou:.4f}, "
        f"accuracy {best.accuracy:.4f}. These weights are those of the best round by this very number, so "
        f"it flatters a little; judge by scenes of your own "
        "with `evaluate`.",
        "",
        "| class | IoU | px that taught | px that judged |",
        "|---|---|---|---|",
        *[
            f"| {row} | {_number(iou)} | {train_pixels:,} | {validation_pixels:,} |"
            for (row, iou), train_pixels, validation_pixels in classes
        ],
        "",
        "## How it was trained",
        "",
        "```json",
        json.dumps(training.model_dump(mode="json", exclude={"scenes", "validation"}), indent=2),
        "```",
        "",
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"


def _key_values(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "none"
