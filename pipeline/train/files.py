"""Where a training keeps its files; each is replaced at once, so that none is ever half written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.config import ModelConfig
from pipeline.errors import ConfigError
from pipeline.models.weights import ModelMeta, save
from pipeline.reports.training import require_training_page

CHECKPOINT_VERSION = 1
"""Of what a checkpoint of ours holds; raised when it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles:
    """The files beside the weights."""

    weights: Path
    """What is asked for; there only when the training has ended."""

    @property
    def folder(self) -> Path:
        """What a training that was stopped goes on from."""
        return self.weights.with_suffix(".training")

    @property
    def last(self) -> Path:
        """Everything after the last round: network, optimiser, curves."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """Weights of the best round so far."""
        return self.folder / "best.safetensors"

    @property
    def untrained(self) -> Path:
        """Weights that plans are made with."""
        return self.folder / "untrained.safetensors"

    @property
    def table(self) -> Path:
        """The curves as numbers."""
        return self.weights.with_suffix(".curves.csv")

    @property
    def picture(self) -> Path:
        """The curves as a picture."""
        return self.weights.with_suffix(".curves.png")

    @property
    def page(self) -> Path:
        """Curves, scores and examples for people."""
        return self.weights.with_suffix(".training.html")

    @property
    def card(self) -> Path:
        """What the network is, was taught and reaches."""
        return self.weights.with_suffix(".card.md")

    @property
    def torchscript(self) -> Path:
        """The network as other programs load it."""
        return self.weights.with_suffix(".torchscript.pt")

    @property
    def item(self) -> Path:
        """Its description by MLM, an item of STAC."""
        return self.weights.with_suffix(".mlm.json")

    @property
    def bioimage(self) -> Path:
        """Its description by bioimage.io."""
        return self.weights.with_suffix(".bioimageio.yaml")

    @property
    def test_image(self) -> Path:
        """Made-up pixels of that description."""
        return self.weights.with_suffix(".test_input.npy")

    @property
    def test_scores(self) -> Path:
        """What the network makes of them."""
        return self.weights.with_suffix(".test_output.npy")


def require_own_weights(model: ModelConfig) -> None:
    """Raise ConfigError where weights would be written into a package or a repository."""
    if model.members:
        raise ConfigError(
            f"model.path lists {len(model.members)} networks ({model.place}); train teaches one network and writes its "
            f"weights there. Give one file that ends in .safetensors, and train the networks one after the other."
        )
    if model.address is not None:
        raise ConfigError(
            f"model.path is {model.address}; train writes the weights there, and nothing is written into a package or "
            f"a repository. Give a file of yours that ends in .safetensors; training.start takes weights to begin with."
        )


def training_files(weights: Path | None, fresh: bool) -> TrainingFiles:
    """Where a training of these weights is kept.

    Raises
    ------
    ConfigError
        No path is said, it does not end in .safetensors, or it holds weights of something else.
    """
    if weights is None or weights.suffix != ".safetensors":
        given = "missing" if weights is None else str(weights)
        raise ConfigError(
            f"model.path is {given}; train writes the weights there. Give a path that ends in .safetensors."
        )
    files = TrainingFiles(weights=weights)
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(weights.parent, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise ConfigError(
            f"model.path is {weights}, but nothing can be written in {weights.parent}. Give a path in a "
            f"folder of yours."
        )
    if weights.exists() and not files.last.exists() and not fresh:
        raise ConfigError(
            f"model.path is {weights}, which exists, and there is no training beside it to go on with "
            f"({files.folder}); it was left as it is. "
            "Give another path, or replace it with --fresh."
        )
    require_training_page(files.page, weights.name)
    return files


def clear(where: TrainingFiles) -> None:
    """Delete what an earlier training left to go on from, and nothing else.

    Raises
    ------
    ConfigError
        The folder holds something of somebody else's.
    """
    if not where.folder.exists():
        return
    known_names = {where.last.name, where.best.name, where.untrained.name}
    files = list(where.folder.iterdir())
    foreign = [file.name for file in files if file.name not in known_names and not file.name.endswith(".partial")]
    if foreign:
        raise ConfigError(
            f"{where.folder} holds {foreign[0]}, which is not of a training; nothing was deleted. Move it "
            f"away, or give another model.path."
        )
    for file in files:
        file.unlink()
    where.folder.rmdir()


def replace_text(path: Path, text: str) -> Path:
    """Write a file at once."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)


def replace_weights(path: Path, network: torch.nn.Module, meta: ModelMeta) -> Path:
    """Write weights at once; several processes may."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    save(partial, network, meta)
    return partial.replace(path)
