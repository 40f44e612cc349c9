"""Lightning's loop around a training, with nothing of its own on the screen or on disk."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping

from pipeline.errors import ConfigError
from pipeline.runtime import resources
from pipeline.runtime.device import choose
from pipeline.train.checkpoint import Keep
from pipeline.train.files import Place, replace_weights
from pipeline.train.module import Lesson
from pipeline.train.prepare import Prepared
from pipeline.train.validation import examiner

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {"float32": "32-true", "auto": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
"""``execution.precision`` in Lightning's words."""
LOADERS = 4
"""Processes per GPU that read windows, where nothing is said."""


def keeper(prepared: Prepared, where: Place, kept: dict[str, Any] | None, tell: Callable[[str], None]) -> Keep:
    """What saves a training, with what an earlier start left of it."""
    threads = kept["threads"] if kept else max(resources.cores() // prepared.how.devices, 1)
    keep = Keep(where, prepared.meta, [row.name for row in prepared.rows], prepared.fingerprint(), threads, tell)
    if kept:
        keep.load_state_dict(kept)
        tell(f"{len(keep.rows)} rounds are done already")
    return keep


def _lesson(prepared: Prepared, keep: Keep, where: Place, device: torch.device) -> Lesson:
    replace_weights(where.untrained, prepared.network, prepared.meta)
    model = prepared.model.model_copy(update={"path": where.untrained})
    judge = examiner(prepared.config, model, prepared.judged, prepared.table, where.folder, keep.threads)
    said = prepared.how.loaders
    loaders = said if said != "auto" else LOADERS if device.type == "cuda" else 0
    prepared.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs forget the keyword
    return Lesson(prepared.network, prepared.loss, prepared.windows, judge, prepared.how, loaders)


def _devices(asked: int, device: torch.device) -> Any:
    """As Lightning takes them: the one that the config names, or as many as are asked for."""
    return [device.index or 0] if asked == 1 and device.type == "cuda" else asked


def fit(prepared: Prepared, keep: Keep, where: Place, tell: Callable[[str], None]) -> None:
    """Lightning's loop, with nothing of its own on the screen or on disk."""
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
            accelerator="gpu" if device.type == "cuda" else "cpu", devices=_devices(how.devices, device),
            precision=PRECISIONS[prepared.config.execution.precision],
            max_epochs=how.rounds, gradient_clip_val=how.optimiser.clip, callbacks=[*stopping, keep], sync_batchnorm=device.type == "cuda",
            use_distributed_sampler=False,
            num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=where.folder,
        )  # fmt: skip
        try:
            trainer.fit(lesson, ckpt_path=where.last if where.last.exists() else None, weights_only=True)
        except SystemExit as stopped:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from stopped
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ConfigError(
                f"training.window {how.window} px and training.batch {how.batch} leave batch norm one value per channel at the network's coarsest level, "
                "which has no spread. Set either larger."
            ) from error
