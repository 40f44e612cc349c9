"""Judging by area: held-out blocks of the map go through the tiled inference of `run`.

They are counted as `evaluate` counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipeline.config import Config, ModelConfig, OutputConfig
from pipeline.geometry.blocks import BlockIndex
from pipeline.inference.block_task import BlockTask
from pipeline.inference.infer import Inference
from pipeline.inference.read import read_with_retries
from pipeline.inference.recipe import Block
from pipeline.models.loaded import Loaded
from pipeline.planning.prepare import prepare_job
from pipeline.quality.evaluate.confusion import Confusion
from pipeline.train.class_counts import ClassCounts
from pipeline.train.scenes import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationBlock:
    """One block to be judged."""

    scene: Scene
    task: BlockTask
    """How `run` would infer the scene."""
    index: BlockIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredBlock:
    """What a network makes of one block, beside its labels."""

    block: Block
    """With the raw pixels of its frame."""
    label: npt.NDArray[np.uint8]
    """(rows, cols) indexes of classes; those beyond all of them say nothing."""
    mask: npt.NDArray[np.uint8]
    """(rows, cols), the same of the prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """All blocks that judge a network, in order."""

    blocks: tuple[ValidationBlock, ...]
    table: npt.NDArray[np.uint8]
    """Class code → index."""
    classes: int

    def judge(self, network: torch.nn.Module, number: int, device: torch.device) -> Confusion:
        """Infer block ``number`` and compare it with its labels. Raises ReadError, InferenceError, LabelsError."""
        confusion, inferred = Confusion(self.classes), self.infer(network, number, device)
        confusion.add(inferred.label, inferred.mask)
        return confusion

    def infer(self, network: torch.nn.Module, number: int, device: torch.device) -> InferredBlock:
        """Infer block ``number`` beside its labels; raises as `judge`."""
        validation_block = self.blocks[number]
        task = validation_block.task
        window, frame = task.layout.window(validation_block.index), task.layout.read_window(validation_block.index)
        block = Block(validation_block.index, window, frame, read_with_retries(task.source, frame, task.retries))
        arrays, _ = Inference(
            Loaded(module=network, identity_fields={}, key=task.model.output.key), task.recipe, device
        )(block, task.layout)
        return InferredBlock(
            block=block,
            label=self._index(validation_block.scene.label_codes(window)),
            mask=self._index(arrays["mask"]),
        )

    def _index(self, codes: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.uint8]:
        """Nodata and whatever is no class lie beyond all classes."""
        return np.asarray(np.minimum(self.table[codes], np.uint8(self.classes)), dtype=np.uint8)


def plan_validation(
    config: Config,
    model: ModelConfig,
    validation_counts: ClassCounts,
    table: npt.NDArray[np.uint8],
    folder: Path,
    threads: int,
) -> Validator:
    """Plan how each scene would be run, by the network that ``model.path`` holds.

    Parameters
    ----------
    config
        Of the training; its sections ``source``, ``tile`` and ``execution`` count as for `run`.
    model
        With nothing left open, and the weights of an untrained network.
    validation_counts
        The blocks that judge; its scenes hide none of their labels.
    table
        Class code → index.
    folder
        Where a store would be; none is made.
    threads
        Intra-op threads, those of the training.

    Raises
    ------
    PlanError, ModelError
        As `run` would.
    """
    tasks = {
        number: _task(config, model, validation_counts.scenes[number], folder, threads)
        for number in sorted({number for number, _ in validation_counts.places})
    }
    blocks = [
        ValidationBlock(scene=validation_counts.scenes[number], task=tasks[number], index=BlockIndex(*cell))
        for number, cell in validation_counts.places
    ]
    return Validator(blocks=tuple(blocks), table=table, classes=validation_counts.counts.shape[1])


def _task(config: Config, model: ModelConfig, scene: Scene, folder: Path, threads: int) -> BlockTask:
    output = OutputConfig(path=folder / "validation.zarr", chunk=scene.block, block=scene.block, pyramid=False)
    sections = {"source": scene.source, "model": model, "output": output, "training": None}
    task = prepare_job(config.model_copy(update=sections), fresh=True).task
    return replace(task, recipe=replace(task.recipe, threads=threads))
