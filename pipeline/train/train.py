"""Training: a config in; weights that `run` takes as they are, their card, curves and descriptions out."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pipeline.config import Config
from pipeline.errors import ConfigError, Unfinished
from pipeline.runtime.optional_imports import require
from pipeline.train.descriptions import write_descriptions
from pipeline.train.files import (
    CHECKPOINT_VERSION,
    TrainingFiles,
    clear,
    replace_text,
    require_own_weights,
    training_files,
)
from pipeline.train.history import draw_curves
from pipeline.train.model_card import card
from pipeline.train.page import training_page
from pipeline.train.prepare import Prepared, prepare_training

if TYPE_CHECKING:
    from pipeline.train.checkpoint import Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What became of a training."""

    mean_iou: float
    """Of the best round."""
    rounds: int
    best: int
    """Round whose weights were kept."""
    files: dict[str, Path]
    """What was written; nothing by the processes of further devices."""


def train(config: Config, notify: Callable[[str], None], fresh: bool = False) -> Trained:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    config
        With a section ``training``.
    notify
        Called with a line now and then.
    fresh
        Begin anew, replacing what was trained before.

    Raises
    ------
    ExtraError
        Lightning is not installed.
    InputError
        The config, a scene, its labels or the weights to start from are wrong.
    PlanError
        Validation does not fit the memory.
    """
    for module in ("lightning", "torchmetrics", "matplotlib"):
        require(module, "train", "Training")
    from pipeline.train.trainer import checkpoint_callback, fit

    # Lightning starts the processes of further devices by this very command
    leads = os.environ.get("LOCAL_RANK", "0") == "0"
    notify = notify if leads else _silent
    require_own_weights(config.model)
    where = training_files(config.model.path, fresh)
    prepared = prepare_training(config, notify)
    if fresh and leads:
        clear(where)
    checkpoint = _last_checkpoint(where, prepared.fingerprint())
    for note in prepared.notes:
        notify(note)
    try:
        keep = checkpoint_callback(prepared, where, checkpoint, notify)
        if not keep.finished:
            fit(prepared, keep, where, notify)
        return _publish(prepared, keep, where, notify) if leads else _trained(keep, {})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG):
            raise
        raise Unfinished(
            f"{where.folder} cannot be written ({error.strerror}). Make room and run the same command "
            f"again; the last round is kept."
        ) from error


def _silent(line: str) -> None:
    pass


def _last_checkpoint(where: TrainingFiles, now: dict[str, str]) -> dict[str, Any] | None:
    """What the last round left, or None before the first; raises ConfigError where it is of another training."""
    if not where.last.exists():
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(where.last, map_location="cpu", weights_only=True)["callbacks"]["Keep"]
        if checkpoint["version"] != CHECKPOINT_VERSION or not where.best.exists():
            raise ValueError("it was left by another release, or its weights are gone")
    except Exception as error:  # whatever damaged bytes make the reader raise
        raise ConfigError(
            f"{where.last} cannot be gone on from ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}). Begin anew with --fresh, which replaces it."
        ) from error
    previous = checkpoint["fingerprint"]
    differing = [key for key in now if previous.get(key) != now[key]]
    if differing:
        raise ConfigError(
            f"{where.folder} holds another training, which differs in {', '.join(differing)}. Undo the "
            f"change, give another model.path, or begin anew with "
            "--fresh, which replaces its weights."
        )
    return checkpoint


def _publish(prepared: Prepared, keep: Keep, where: TrainingFiles, notify: Callable[[str], None]) -> Trained:
    """The best weights to where they are asked for, last of all."""
    best = keep.best
    train_counts, name = prepared.windows.sampler.class_counts, where.weights.name
    draw_curves(keep.rows, {row.name: row.color for row in prepared.rows}, where.picture)
    replace_text(
        where.card,
        card(name, prepared.meta, prepared.training, train_counts, prepared.validation_counts, best, prepared.notes),
    )
    replace_text(where.page, training_page(prepared, keep, where))
    descriptions = write_descriptions(prepared, where, notify)
    partial = where.weights.with_name(f".{name}.partial")
    shutil.copyfile(where.best, partial)
    partial.replace(where.weights)
    files = {"weights": where.weights, "card": where.card, "page": where.page}
    return _trained(keep, {**files, "curves": where.picture, "table": where.table, **descriptions})


def _trained(keep: Keep, files: dict[str, Path]) -> Trained:
    return Trained(mean_iou=keep.best.mean_iou, rounds=len(keep.rows), best=keep.best.round, files=files)
