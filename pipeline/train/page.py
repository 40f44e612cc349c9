"""What the page of a training shows: examples are held-out blocks, inferred by the weights that were kept."""

from __future__ import annotations

import numpy as np
import torch

from pipeline import __version__
from pipeline.models.weights import load_into
from pipeline.planning.picture import picture_bands
from pipeline.privacy.concealed import safe_text
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.quality.evaluate.samples import PairSamples
from pipeline.reports.training import Curve, HeldOutBlock, TrainingContent, render_training
from pipeline.runtime.device import select_device
from pipeline.train.checkpoint import Keep
from pipeline.train.files import TrainingFiles
from pipeline.train.history import Row
from pipeline.train.prepare import Prepared
from pipeline.train.trainer import open_validator
from pipeline.train.validation import InferredBlock, Validator

SHOWN_BLOCKS = 3
"""Held-out blocks that are shown."""
MAX_EXAMPLE_SIDE = 400
"""Longest side of a picture of one, px."""


def training_page(prepared: Prepared, keep: Keep, where: TrainingFiles) -> str:
    """The page of a training that has ended, as HTML.

    Parameters
    ----------
    prepared
        Its network gets the best weights.
    keep
        The rounds.
    where
        Its files, of which the best weights are there.

    Raises
    ------
    ReadError, InferenceError, LabelsError
        A held-out block cannot be shown.
    """
    best, training = keep.best, prepared.training
    confusion = Confusion(len(prepared.rows))
    if best.counts:
        confusion.counts += np.array(best.counts, np.int64)
    taught = prepared.windows.sampler.class_counts
    facts = [
        ("network", str(prepared.meta.kind)),
        ("bands", ", ".join(prepared.meta.bands)),
        *(("scene", f"{safe_text(scene.name)}, {scene.area}") for scene in taught.scenes),
        ("steps", f"{keep.rows[-1].step} of {training.rounds * training.steps}, {training.batch} windows each"),
        ("windows", f"{training.window} px, seed {training.seed}"),
        ("judged", f"{int(prepared.validation_counts.counts.sum()):,} labelled px of held-out blocks"),
        *(("note", note) for note in prepared.notes),
    ]
    return render_training(
        TrainingContent(
            weights=where.weights.name,
            classes=prepared.rows,
            best=best.round,
            rounds=len(keep.rows),
            mean_iou=best.mean_iou,
            accuracy=best.accuracy,
            curves=_curves(keep.rows, prepared),
            confusion=confusion,
            examples=_examples(prepared, keep.threads, where),
            facts=facts,
            config=prepared.config.model_dump(mode="json", exclude_unset=True),
            versions=[("wholecloth", __version__), ("torch", str(torch.__version__))],
        )
    )


def _curves(rows: list[Row], prepared: Prepared) -> list[Curve]:
    """Loss first, then the mean IoU and that of each class."""
    steps = [row.step for row in rows]
    classes = [
        Curve(name=row.name, color=row.color, steps=steps, values=[one.iou[row.name] for one in rows])
        for row in prepared.rows
    ]
    return [
        Curve(name="loss", color="", steps=steps, values=[row.loss for row in rows]),
        Curve(name="mean", color="", steps=steps, values=[row.mean_iou for row in rows]),
        *classes,
    ]


def _examples(prepared: Prepared, threads: int, where: TrainingFiles) -> list[HeldOutBlock]:
    """Of the held-out blocks with the most classes, the first ones."""
    validator = open_validator(prepared, threads, where)
    device = select_device(prepared.config.execution.device)
    load_into(prepared.network, where.best)
    # torch's stubs forget the keyword
    network = prepared.network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    variety = (prepared.validation_counts.counts > 0).sum(1)
    numbers = sorted(np.argsort(-variety, kind="stable")[:SHOWN_BLOCKS].tolist())
    return [_example(prepared, validator, number, validator.infer(network, number, device)) for number in numbers]


def _example(prepared: Prepared, validator: Validator, number: int, inferred: InferredBlock) -> HeldOutBlock:
    scene, window = validator.blocks[number].scene, inferred.block.window
    samples = PairSamples.of_classes(window, validator.classes, MAX_EXAMPLE_SIDE)
    samples.add(window, inferred.label, inferred.mask)
    core, every = window.index_in(inferred.block.frame), slice(None, None, samples.step)
    bands = list(picture_bands(prepared.config.output, scene.image))
    pixels = inferred.block.pixels
    return HeldOutBlock(
        place=f"{safe_text(scene.name)}, {window}",
        values=pixels.data[bands][(slice(None), *core)][:, every, every].astype(np.float32),
        valid=pixels.valid[core][every, every],
        samples=samples,
    )
