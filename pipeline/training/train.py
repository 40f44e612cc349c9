"""Training: a config in; weights that `run` takes as they are, their card and their curves out."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from pipeline import machine
from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.extras import need
from pipeline.stages.device import choose
from pipeline.training.card import card
from pipeline.training.examiner import examiner
from pipeline.training.history import draw
from pipeline.training.place import Place, place, replace_text, replace_weights
from pipeline.training.prepare import Prepared, prepare

if TYPE_CHECKING:
    from pipeline.training.keep import Keep
    from pipeline.training.lesson import Lesson

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {"float32": "32-true", "auto": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
"""``execution.precision`` in Lightning's words."""
LOADERS = 4
"""Processes per GPU that read windows, where nothing is said."""


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
    leads = os.environ.get("LOCAL_RANK", "0") == "0"  # Lightning starts the processes of further devices by this very command
    tell = tell if leads else _silent
    where = place(config.model.path, fresh and leads)
    prepared = prepare(config)
    if fresh and leads:
        shutil.rmtree(where.folder, ignore_errors=True)
    kept = _kept(where, prepared.fingerprint())
    for note in prepared.notes:
        tell(note)
    keep = _keep(prepared, where, kept, tell)
    if not keep.ended:
        _run(prepared, keep, where, tell)
    return _publish(prepared, keep, where) if leads else _trained(keep, {})


def _silent(line: str) -> None:
    pass


def _kept(where: Place, now: dict[str, str]) -> dict[str, Any] | None:
    """What the last round left, or None before the first; raises ConfigError where it is of another training."""
    if not where.last.exists():
        return None
    kept: dict[str, Any] = torch.load(where.last, map_location="cpu", weights_only=True)["callbacks"]["Keep"]
    before = kept["fingerprint"]
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        raise ConfigError(
            f"{where.folder} holds another training, which differs in {', '.join(differing)}. Undo the change, give another model.path, or begin anew with "
            "--fresh, which replaces its weights."
        )
    return kept


def _keep(prepared: Prepared, where: Place, kept: dict[str, Any] | None, tell: Callable[[str], None]) -> Keep:
    from pipeline.training.keep import Keep

    devices = prepared.how.devices if isinstance(prepared.how.devices, int) else 1
    threads = kept["threads"] if kept else max(machine.cores() // devices, 1)
    keep = Keep(where, prepared.meta, [row.name for row in prepared.rows], prepared.fingerprint(), threads, tell)
    if kept:
        keep.load_state_dict(kept)
        tell(f"{len(keep.rows)} rounds are done already")
    return keep


def _lesson(prepared: Prepared, keep: Keep, where: Place, device: torch.device) -> Lesson:
    from pipeline.training.lesson import Lesson

    replace_weights(where.untrained, prepared.network, prepared.meta)
    model = prepared.model.model_copy(update={"path": where.untrained})
    judge = examiner(prepared.config, model, prepared.judged, prepared.table, where.folder, keep.threads)
    said = prepared.how.loaders
    loaders = said if said != "auto" else LOADERS if device.type == "cuda" else 0
    prepared.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs forget the keyword
    return Lesson(prepared.network, prepared.loss, prepared.windows, judge, prepared.how, loaders)


def _run(prepared: Prepared, keep: Keep, where: Place, tell: Callable[[str], None]) -> None:
    """Lightning's loop, with nothing of its own on the screen or on disk."""
    import lightning
    from lightning.pytorch.callbacks import EarlyStopping

    device = choose(prepared.config.execution.device)
    lesson = _lesson(prepared, keep, where, device)
    taught, judged = len(prepared.windows.drawing.atlas.places), len(prepared.judged.places)
    tell(f"{taught} blocks teach, {judged} judge; {prepared.how.rounds} rounds of {prepared.how.steps} steps on {device}")
    how = prepared.how
    stopping = [EarlyStopping("mean_iou", patience=how.patience, mode="max", check_on_train_epoch_end=False)] if how.patience else []
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        trainer = lightning.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu", devices=how.devices, precision=PRECISIONS[prepared.config.execution.precision],
            max_epochs=how.rounds, gradient_clip_val=how.optimiser.clip, callbacks=[*stopping, keep], sync_batchnorm=True, use_distributed_sampler=False,
            num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=where.folder,
        )  # fmt: skip
        try:
            trainer.fit(lesson, ckpt_path=where.last if where.last.exists() else None, weights_only=True)
        except SystemExit as stopped:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from stopped


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
