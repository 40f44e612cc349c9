"""Blocks of a raster in memory, run one by one through a network that counts what it sees; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.inference import block_task, opened_networks
from pipeline.inference.block_task import BlockResult, BlockTask
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Pixels
from pipeline.models.loaded import Loaded
from pipeline.runtime.cancellation import CANCELLED
from tests.quality.labels.places import cut


def recipe(blended: bool) -> Recipe:
    return Recipe(
        normalisation=Normalisation(scale=(1.0,) * 3, offset=(0.0,) * 3, mean=(0.0,) * 3, std=(1.0,) * 3),
        decoding=ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1, 2, 3)),
        layers=("mask",),
        nodata=255,
        dtype="uint8",
        precision="float32",
        threads=1,
        taper="hann" if blended else "flat",
        blend="logits",
        overlapping=blended,
    )


@dataclass
class Field:
    """A source that remembers what was read of it.

    What lies outside the raster and where it is invalid is noise that must not count.
    """

    grid: Grid
    data: np.ndarray
    valid: np.ndarray
    reads: list[Window] = field(default_factory=list)
    bands: int = 3
    dtype: Any = "float32"
    block_task: tuple[int, int] = (1, 1)
    open_files: int = 0
    working_bytes: int = 0

    @classmethod
    def of(cls, grid: Grid, valid: np.ndarray | None = None, seed: int = 0) -> Field:
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(3, grid.height, grid.width)).astype("float32")
        return cls(grid, data, np.ones((grid.height, grid.width), bool) if valid is None else valid)

    def read(self, window: Window) -> Pixels:
        self.reads.append(window)
        return Pixels(
            data=np.stack([cut(band, window, 77) for band in self.data]), valid=cut(self.valid, window, False)
        )

    def identity(self) -> dict[str, Any]:
        return {}


class Counted(torch.nn.Module):
    """A network, and the pixels that went through it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network, self.pixels = network, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.pixels += x.shape[0] * x.shape[2] * x.shape[3]
        return self.network(x)


@dataclass
class Made:
    """What came of all blocks."""

    mask: np.ndarray
    outcomes: list[BlockResult]
    records: dict[BlockIndex, dict[str, Any]]
    pixels: int
    """Through the network."""


def made(
    monkeypatch: pytest.MonkeyPatch, source: Field, network: torch.nn.Module, layout: BlockGrid, area: Any = None
) -> Made:
    """Every block of a job, as a run does it."""
    counted, mask, records = Counted(network), np.full(source.valid.shape, 255, "uint8"), {}

    def write(
        store: Path, index: BlockIndex, window: Window, layers: Any, arrays: Any, record: dict[str, Any], *beside: Any
    ) -> None:
        records[index] = record
        if arrays:
            mask[window.slices] = arrays["mask"]

    task = BlockTask(
        source=source,
        model=ModelConfig(kind="fcn8s"),
        recipe=recipe(layout.blended),
        layout=layout,
        store=Path("nowhere"),
        device="cpu",
        retries=0,
        area=area,
    )
    CANCELLED.clear()
    monkeypatch.setattr(block_task, "write_block", write)
    monkeypatch.setattr(opened_networks, "_inferences", {})
    opened_networks.reuse_network(task, Loaded(module=counted, identity_fields={}))
    outcomes = [task(index) for index in task.blocks()]
    assert not [outcome.error for outcome in outcomes if outcome.error]
    return Made(mask, outcomes, records, counted.pixels)


def whole(source: Field, network: torch.nn.Module, multiple: int = 4) -> np.ndarray:
    """One forward pass over the whole raster."""
    (height, width), x = source.valid.shape, torch.from_numpy(np.where(source.valid, source.data, 0))[None]
    with torch.no_grad():
        logits = network(torch.nn.functional.pad(x, (0, -width % multiple, 0, -height % multiple)))[
            0, :, :height, :width
        ]
    return np.where(source.valid, logits.argmax(0).numpy(), 255).astype("uint8")


def balanced(network: Any) -> torch.nn.Module:
    """A network whose classes are about equally likely on noise, so that no label is right by chance."""
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 128, 128))[0].flatten(1)
        network.head.weight /= logits.std(1)[:, None, None, None]
        network.head.bias.copy_((network.head.bias - logits.mean(1)) / logits.std(1))
    return network
