"""The training loop. There is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pipeline.training.windows import IGNORE, Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast."""

    steps: int
    rate: float = 2e-3
    """Largest learning rate; it rises over a tenth of the steps and falls to nothing (Smith & Topin 2018)."""
    decay: float = 1e-2
    """AdamW's weight decay."""


def fit(network: torch.nn.Module, batches: Iterator[Batch], schedule: Schedule, told: Callable[[int, float], None] = lambda step, loss: None) -> None:
    """Train a network in place, and leave it in eval mode.

    Parameters
    ----------
    network
        (windows, bands, rows, cols) → logits of the same size.
    batches
        At least ``schedule.steps`` of them.
    schedule
        Steps and learning rate.
    told
        Called with each step and its loss.
    """
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs forget the keyword
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=schedule.steps, pct_start=0.1)
    for step in range(schedule.steps):
        batch = next(batches)
        loss = F.cross_entropy(network(batch.x.contiguous(memory_format=torch.channels_last)), batch.y, ignore_index=IGNORE)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rates.step()
        told(step, loss.item())
    network.eval()
