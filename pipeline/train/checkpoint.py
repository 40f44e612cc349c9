"""After every round: its row, the weights if they are the best, and everything that a killed training goes on from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from pipeline.models.weights import ModelMeta
from pipeline.train.files import CHECKPOINT_VERSION, TrainingFiles, replace_weights
from pipeline.train.history import Row, write_csv
from pipeline.train.module import SegmentationModule

TrainingState = dict[str, Any]
"""Everything that decides the weights, as plain values."""


class Keep(Callback):
    """Saves a training round by round; a file is replaced at once and only when the new one is whole.

    Parameters
    ----------
    place
        Where to.
    meta
        What the weights say of themselves.
    names
        Of the classes, in the order of their indices.
    fingerprint
        What decides the weights; kept beside them.
    threads
        Intra-op threads: they change rounding, so a training goes on with as many as it began with.
    tell
        Called with a line after every round.
    """

    def __init__(
        self,
        files: TrainingFiles,
        meta: ModelMeta,
        names: list[str],
        fingerprint: TrainingState,
        threads: int,
        notify: Callable[[str], None],
    ) -> None:
        self.rows: list[Row] = []
        self.finished = False
        self.threads = threads
        self._files, self._meta, self._names, self._fingerprint, self._notify = files, meta, names, fingerprint, notify

    @property
    def best(self) -> Row:
        """The first of the rounds with the highest mean IoU."""
        return max(self.rows, key=lambda row: row.mean_iou if np.isfinite(row.mean_iou) else -1.0)

    def state_dict(self) -> TrainingState:
        """What goes into the checkpoint."""
        return {
            "version": CHECKPOINT_VERSION,
            "rows": [row.as_dict() for row in self.rows],
            "ended": self.finished,
            "threads": self.threads,
            "fingerprint": self._fingerprint,
        }

    def load_state_dict(self, state_dict: TrainingState) -> None:
        """Go on from a checkpoint."""
        self.rows = [Row(**row) for row in state_dict["rows"]]
        self.finished, self.threads = state_dict["ended"], state_dict["threads"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compute with the threads of the first start."""
        torch.set_num_threads(self.threads)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A round has ended and was judged."""
        assert isinstance(pl_module, SegmentationModule)
        self.rows.append(self._row(trainer, pl_module))
        self.finished = bool(trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs)
        if trainer.is_global_zero:
            write_csv(self.rows, self._files.table)
            if self.best is self.rows[-1]:
                replace_weights(self._files.best, pl_module.network, self._meta)
            self._notify(self._line())
        partial = self._files.last.with_suffix(".partial")
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.replace(self._files.last)

    def _row(self, trainer: lightning.Trainer, module: SegmentationModule) -> Row:
        confusion = module.confusion
        assert confusion is not None
        return Row(
            round=trainer.current_epoch + 1,
            step=trainer.global_step,
            loss=float(module.mean_loss.compute()),
            rate=trainer.optimizers[0].param_groups[0]["lr"],
            mean_iou=float(np.nanmean(confusion.iou())),
            accuracy=confusion.accuracy(),
            iou=dict(zip(self._names, confusion.iou().tolist(), strict=True)),
            counts=confusion.counts.tolist(),
        )

    def _line(self) -> str:
        row = self.rows[-1]
        mark = ", the best so far" if self.best is row else ""
        return (
            f"round {row.round}, step {row.step}: loss {row.loss:.4f}, mean IoU {row.mean_iou:.4f} of "
            f"the held-out blocks{mark}"
        )
