"""After every round: its row, the weights if they are the best, and everything that a killed training goes on from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from pipeline.models.weights import ModelMeta
from pipeline.train.files import VERSION, Place, replace_weights
from pipeline.train.history import Row, write_csv
from pipeline.train.module import Lesson

Told = dict[str, Any]
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

    def __init__(self, place: Place, meta: ModelMeta, names: list[str], fingerprint: Told, threads: int, tell: Callable[[str], None]) -> None:
        self.rows: list[Row] = []
        self.ended = False
        self.threads = threads
        self._place, self._meta, self._names, self._fingerprint, self._tell = place, meta, names, fingerprint, tell

    @property
    def best(self) -> Row:
        """The first of the rounds with the highest mean IoU."""
        return max(self.rows, key=lambda row: row.mean_iou if np.isfinite(row.mean_iou) else -1.0)

    def state_dict(self) -> Told:
        """What goes into the checkpoint."""
        return {
            "version": VERSION,
            "rows": [row.as_dict() for row in self.rows],
            "ended": self.ended,
            "threads": self.threads,
            "fingerprint": self._fingerprint,
        }

    def load_state_dict(self, state_dict: Told) -> None:
        """Go on from a checkpoint."""
        self.rows = [Row(**row) for row in state_dict["rows"]]
        self.ended, self.threads = state_dict["ended"], state_dict["threads"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compute with the threads of the first start."""
        torch.set_num_threads(self.threads)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A round has ended and was judged."""
        assert isinstance(pl_module, Lesson)
        self.rows.append(self._row(trainer, pl_module))
        self.ended = bool(trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs)
        if trainer.is_global_zero:
            write_csv(self.rows, self._place.table)
            if self.best is self.rows[-1]:
                replace_weights(self._place.best, pl_module.network, self._meta)
            self._tell(self._line())
        partial = self._place.last.with_suffix(".partial")
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.replace(self._place.last)

    def _row(self, trainer: lightning.Trainer, lesson: Lesson) -> Row:
        found = lesson.found
        assert found is not None
        return Row(
            round=trainer.current_epoch + 1, step=trainer.global_step, loss=float(lesson.mean_loss.compute()), rate=trainer.optimizers[0].param_groups[0]["lr"],
            mean_iou=float(np.nanmean(found.iou())), accuracy=found.accuracy(), iou=dict(zip(self._names, found.iou().tolist(), strict=True)),
        )  # fmt: skip

    def _line(self) -> str:
        row = self.rows[-1]
        mark = ", the best so far" if self.best is row else ""
        return f"round {row.round}, step {row.step}: loss {row.loss:.4f}, mean IoU {row.mean_iou:.4f} of the held-out blocks{mark}"
