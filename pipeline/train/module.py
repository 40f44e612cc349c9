"""One network, its loss and its optimiser, as Lightning runs them. There is one loop, and it is Lightning's."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric, Metric

from pipeline.config import OptimiserConfig, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.runtime.backends import backend_of
from pipeline.train.dataset import EpochSampler, Example, Windows
from pipeline.train.losses import Loss
from pipeline.train.validation import Validator


class ConfusionMetric(Metric):
    """A confusion matrix that is added up over devices."""

    full_state_update = False
    counts: torch.Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros((classes, classes + 1), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, confusion: Confusion) -> None:
        """Add what was counted in one block."""
        self.counts += torch.from_numpy(confusion.counts).to(self.counts.device)

    def compute(self) -> Confusion:
        """What was counted on all devices."""
        total = Confusion(len(self.counts))
        total.counts += self.counts.cpu().numpy()
        return total


class SegmentationModule(lightning.LightningModule):
    """What Lightning is told: one step, one judgement, the optimiser, and where both get their pixels.

    Parameters
    ----------
    network
        (windows, bands, rows, cols) → logits (windows, channels, rows, cols).
    loss
        Logits and indices → one number.
    windows
        What teaches.
    examiner
        What judges after every round.
    how
        The training.
    loaders
        Processes that read windows.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        loss: Loss,
        windows: Windows,
        validator: Validator,
        training: TrainingConfig,
        loaders: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.mean_loss, self.counts = MeanMetric(nan_strategy="disable"), ConfusionMetric(validator.classes)
        self.confusion: Confusion | None = None
        """What the last judgement counted."""
        self._windows, self._validator, self._training_config, self._loaders = windows, validator, training, loaders

    def train_dataloader(self) -> DataLoader[Example]:
        """Windows by their numbers."""
        numbers = EpochSampler(
            self._training_config.steps, self._training_config.batch, self.global_rank, self.trainer.world_size
        )
        parallel = self._loaders > 0
        return DataLoader(
            self._windows,
            self._training_config.batch // self.trainer.world_size,
            sampler=numbers,
            pin_memory=backend_of(self.device).page_locked,
            num_workers=self._loaders,
            persistent_workers=parallel,
            multiprocessing_context="spawn" if parallel else None,
        )

    def val_dataloader(self) -> DataLoader[int]:
        """Numbers of the blocks that this device judges; they are read where they are inferred."""
        block_numbers = range(self.global_rank, len(self._validator.blocks), self.trainer.world_size)
        return DataLoader(block_numbers, batch_size=None)  # type: ignore[arg-type]  # a range is a dataset

    def on_train_batch_start(self, batch: list[torch.Tensor], number: int) -> None:
        """Draw dropout by the step's number, so that it needs no memory."""
        torch.manual_seed(
            int(
                np.random.SeedSequence(
                    [self._training_config.seed, 3, self.global_step, self.global_rank]
                ).generate_state(1)[0]
            )
        )

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        """The loss of one batch."""
        x, y = batch
        loss: torch.Tensor = self.loss(self.network(x.contiguous(memory_format=torch.channels_last)), y)
        self.mean_loss.update(loss.detach())
        return loss

    def on_validation_start(self) -> None:
        """A network that went astray is not judged, and what was saved before stays."""
        if not torch.isfinite(self.mean_loss.compute()):
            raise ConfigError(
                f"The loss is no number any more in the {self._training_config.steps} steps before step "
                f"{self.global_step}. Set "
                f"training.optimiser.rate lower, or check "
                "model.input: normalised values are best between −3 and 3. What was saved before stays; "
                "--fresh starts over."
            )

    def validation_step(self, question: int, number: int) -> None:
        """Judge one block, as `run` would infer it."""
        with torch.autocast(self.device.type, enabled=False):
            self.counts.update(self._validator.judge(self.network, question, self.device))

    def on_validation_epoch_end(self) -> None:
        """Keep what was counted, and tell the callbacks of its mean IoU."""
        self.confusion = self.counts.compute()
        self.counts.reset()
        self.log("mean_iou", float(np.nanmean(self.confusion.iou())), sync_dist=False)

    def on_train_epoch_end(self) -> None:
        """Begin the next round's mean loss."""
        self.mean_loss.reset()

    def configure_optimizers(self) -> Any:
        """AdamW over what is not frozen, its rate changed at every step."""
        config = self._training_config.optimiser
        optimiser = torch.optim.AdamW(
            [p for p in self.network.parameters() if p.requires_grad], lr=config.rate, weight_decay=config.decay
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {
                "scheduler": schedule(optimiser, config, self._training_config.rounds * self._training_config.steps),
                "interval": "step",
            },
        }


def schedule(
    optimiser: torch.optim.Optimizer, config: OptimiserConfig, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """How the learning rate changes.

    ``one_cycle`` is that of Smith & Topin (2018), with its momentum; ``cosine`` rises in a line and falls as a half
    wave (Loshchilov & Hutter 2017); ``constant`` rises in a line and stays.
    """
    if config.schedule == "one_cycle":
        steps = max(steps, 3)  # it cannot rise in one step
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.rate, total_steps=steps, pct_start=max(config.warmup, 2 / steps)
        )
    rise = max(round(config.warmup * steps), 1)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        return (
            0.5 + 0.5 * float(np.cos(np.pi * (step - rise) / max(steps - rise, 1)))
            if config.schedule == "cosine"
            else 1.0
        )

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
