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
from pipeline.runtime.backends import backend_of
from pipeline.runtime.device import select_device
from pipeline.train.checkpoint import Keep
from pipeline.train.files import TrainingFiles, replace_weights
from pipeline.train.module import SegmentationModule
from pipeline.train.prepare import Prepared
from pipeline.train.validation import Validator, plan_validation

LIGHTNING_PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "float32": "32-true",
    "auto": "32-true",
    "bfloat16": "bf16-mixed",
    "float16": "16-mixed",
}
"""``execution.precision`` in Lightning's words."""
LOADERS = 4
"""Processes per GPU that read windows, where nothing is said."""


def checkpoint_callback(
    prepared: Prepared, where: TrainingFiles, checkpoint: dict[str, Any] | None, notify: Callable[[str], None]
) -> Keep:
    """What saves a training, with what an earlier start left of it."""
    threads = checkpoint["threads"] if checkpoint else max(resources.cores() // prepared.training.devices, 1)
    keep = Keep(where, prepared.meta, [row.name for row in prepared.rows], prepared.fingerprint(), threads, notify)
    if checkpoint:
        keep.load_state_dict(checkpoint)
        notify(f"{len(keep.rows)} rounds are done already")
    return keep


def open_validator(prepared: Prepared, threads: int, where: TrainingFiles) -> Validator:
    """What judges, planned by the weights that a training begins with."""
    replace_weights(where.untrained, prepared.network, prepared.meta)
    model = prepared.model.model_copy(update={"path": where.untrained})
    return plan_validation(prepared.config, model, prepared.validation_counts, prepared.table, where.folder, threads)


def _segmentation_module(
    prepared: Prepared, keep: Keep, where: TrainingFiles, device: torch.device
) -> SegmentationModule:
    validator = open_validator(prepared, keep.threads, where)
    requested = prepared.training.loaders
    loaders = requested if requested != "auto" else LOADERS if backend_of(device).copies else 0
    # torch's stubs forget the keyword
    prepared.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return SegmentationModule(prepared.network, prepared.loss, prepared.windows, validator, prepared.training, loaders)


def _devices(count: int, device: torch.device) -> Any:
    """As Lightning takes them: the one that the config names, or as many as are requested."""
    return [device.index or 0] if count == 1 and backend_of(device).numbered else count


def fit(prepared: Prepared, keep: Keep, where: TrainingFiles, notify: Callable[[str], None]) -> None:
    """Lightning's loop, with nothing of its own on the screen or on disk."""
    device = select_device(prepared.config.execution.device)
    module = _segmentation_module(prepared, keep, where, device)
    train_blocks, validation_blocks = (
        len(prepared.windows.sampler.class_counts.places),
        len(prepared.validation_counts.places),
    )
    notify(
        f"{train_blocks} blocks teach, {validation_blocks} judge; {prepared.training.rounds} rounds of "
        f"{prepared.training.steps} steps on {device}"
    )
    training, backend = prepared.training, backend_of(device)
    stopping = (
        [EarlyStopping("mean_iou", patience=training.patience, mode="max", check_on_train_epoch_end=False)]
        if training.patience
        else []
    )
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        trainer = lightning.Trainer(
            accelerator=backend.accelerator,
            devices=_devices(training.devices, device),
            precision=LIGHTNING_PRECISIONS[prepared.config.execution.precision],
            max_epochs=training.rounds,
            gradient_clip_val=training.optimiser.clip,
            callbacks=[*stopping, keep],
            sync_batchnorm=backend.numbered,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=where.folder,
        )
        try:
            trainer.fit(module, ckpt_path=where.last if where.last.exists() else None, weights_only=True)
        except SystemExit as stopped:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from stopped
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ConfigError(
                f"training.window {training.window} px and training.batch {training.batch} leave batch norm "
                f"one value per channel at the network's "
                f"coarsest level, "
                "which has no spread. Set either larger."
            ) from error
