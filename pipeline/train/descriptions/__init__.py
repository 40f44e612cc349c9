"""Descriptions of a trained network for other programs, beside its weights: MLM and bioimage.io."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from pipeline.train.descriptions.bioimage_document import bioimage_document
from pipeline.train.descriptions.mlm_item import mlm_item
from pipeline.train.descriptions.portable import (
    NotPortable,
    described_probabilities,
    image_side,
    made_up_image,
    write_torchscript,
)
from pipeline.train.descriptions.trained_model import TrainedModel
from pipeline.train.files import TrainingFiles, replace_text
from pipeline.train.prepare import Prepared

SETTINGS = {"rounds", "steps", "batch", "window", "seed"}
"""Of the training, which descriptions have."""


def write_descriptions(prepared: Prepared, where: TrainingFiles, notify: Callable[[str], None]) -> dict[str, Path]:
    """Write what describes the best weights, each file at once.

    A network whose pixels were changed by code of the user's is described by MLM alone, which names the code.

    Parameters
    ----------
    prepared
        The training.
    where
        Its files, of which the best weights are there.
    notify
        Called with a line where the network cannot be written for other programs.

    Returns
    -------
    dict
        What was written, by name.
    """
    model = TrainedModel(
        name=where.weights.stem,
        meta=prepared.meta,
        parameters=sum(parameter.numel() for parameter in prepared.network.parameters()),
        window=prepared.training.window,
    )
    try:
        files = _portable_files(model, where)
    except NotPortable as reason:
        notify(f"no TorchScript and no description of bioimage.io: {reason}")
        files = {}
    settings = prepared.training.model_dump(mode="json", include=SETTINGS)
    item = mlm_item(model, where.weights, where.best, files.get("torchscript"), where.card, settings)
    return {**files, "item": replace_text(where.item, json.dumps(item, indent=2, ensure_ascii=False) + "\n")}


def _portable_files(model: TrainedModel, where: TrainingFiles) -> dict[str, Path]:
    """The network as TorchScript, and its description with a test image where no code changed its pixels."""
    partial = where.torchscript.with_name(f".{where.torchscript.name}.partial")
    try:
        scripted = write_torchscript(model, where.best, partial)
        files = {"torchscript": partial.replace(where.torchscript)}
    finally:
        partial.unlink(missing_ok=True)
    if model.transform is not None:
        return files
    side = image_side(model)
    image = made_up_image(model, side, side)
    _replace_array(where.test_image, image)
    _replace_array(where.test_scores, described_probabilities(model, scripted, image))
    document = bioimage_document(model, where.torchscript, where.test_image, where.test_scores, where.card)
    partial = where.bioimage.with_name(f".{where.bioimage.name}.partial")
    YAML().dump(document, partial)
    return {**files, "bioimage": partial.replace(where.bioimage)}


def _replace_array(path: Path, values: np.ndarray) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.save(file, values)
    partial.replace(path)
