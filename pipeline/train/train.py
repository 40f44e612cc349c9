"""Training: a config in; weights that `run` takes as they are, their card and their curves out."""

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
from pipeline.runtime.optional_imports import need
from pipeline.train.files import VERSION, Place, clear, place, replace_text
from pipeline.train.history import draw
from pipeline.train.model_card import card
from pipeline.train.prepare import Prepared, prepare

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


def train(config: Config, tell: Callable[[str], None], fresh: bool = False) -> Trained:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    config
        With a section ``training``.
    tell
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
        need(module, "train", "Training")
    from pipeline.train.trainer import fit, keeper

    leads = os.environ.get("LOCAL_RANK", "0") == "0"  # Lightning starts the processes of further devices by this very command
    tell = tell if leads else _silent
    where = place(config.model.path, fresh)
    prepared = prepare(config, tell)
    if fresh and leads:
        clear(where)
    kept = _kept(where, prepared.fingerprint())
    for note in prepared.notes:
        tell(note)
    try:
        keep = keeper(prepared, where, kept, tell)
        if not keep.ended:
            fit(prepared, keep, where, tell)
        return _publish(prepared, keep, where) if leads else _trained(keep, {})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG):
            raise
        raise Unfinished(f"{where.folder} cannot be written ({error.strerror}). Make room and run the same command again; the last round is kept.") from error


def _silent(line: str) -> None:
    pass


def _kept(where: Place, now: dict[str, str]) -> dict[str, Any] | None:
    """What the last round left, or None before the first; raises ConfigError where it is of another training."""
    if not where.last.exists():
        return None
    try:
        kept: dict[str, Any] = torch.load(where.last, map_location="cpu", weights_only=True)["callbacks"]["Keep"]
        if kept["version"] != VERSION or not where.best.exists():
            raise ValueError("it was left by another release, or its weights are gone")
    except Exception as error:  # whatever damaged bytes make the reader raise
        raise ConfigError(
            f"{where.last} cannot be gone on from ({type(error).__name__}: {' '.join(str(error).split())[:120]}). Begin anew with --fresh, which replaces it."
        ) from error
    before = kept["fingerprint"]
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        raise ConfigError(
            f"{where.folder} holds another training, which differs in {', '.join(differing)}. Undo the change, give another model.path, or begin anew with "
            "--fresh, which replaces its weights."
        )
    return kept


def _publish(prepared: Prepared, keep: Keep, where: Place) -> Trained:
    """The best weights to where they are asked for, last of all."""
    best = keep.best
    atlas, name = prepared.windows.drawing.atlas, where.weights.name
    draw(keep.rows, {row.name: row.color for row in prepared.rows}, where.picture)
    replace_text(where.card, card(name, prepared.meta, prepared.how, atlas, prepared.judged, best, prepared.notes))
    partial = where.weights.with_name(f".{name}.partial")
    shutil.copyfile(where.best, partial)
    partial.replace(where.weights)
    return _trained(keep, {"weights": where.weights, "card": where.card, "curves": where.picture, "table": where.table})


def _trained(keep: Keep, files: dict[str, Path]) -> Trained:
    return Trained(mean_iou=keep.best.mean_iou, rounds=len(keep.rows), best=keep.best.round, files=files)
