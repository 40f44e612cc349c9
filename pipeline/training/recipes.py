"""Weights of the samples: ``python -m pipeline.training.recipes NAME --out FILE`` trains them anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from pipeline import samples
from pipeline.models.ours import build
from pipeline.models.weights import ModelMeta, save
from pipeline.raster.window import Window
from pipeline.stages.normalise import Normalisation
from pipeline.training.loop import Schedule, fit
from pipeline.training.windows import Scene, batches, scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the weights."""

    scenes: list[str]
    """Samples that are learnt from; none that judges."""
    judges: list[str]
    """Samples that judge."""
    meta: ModelMeta
    schedule: Schedule
    side: int = 256
    count: int = 8
    jitter: float = 0.1
    seed: int = 1
    learns: Window | None = None
    """The part that is learnt from, where one picture must serve for both."""
    judged: Window | None = None
    """The part that judges."""


def _classes(names: tuple[str, ...], colors: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"name": name, "color": color} for name, color in zip(names, colors, strict=True)]


SATELLITE = Recipe(
    scenes=[f"sample://satellite?seed={seed}&size=2048" for seed in range(1, 9)],
    judges=[f"sample://satellite?seed={seed}" for seed in (101, 102, 103)],
    meta=ModelMeta(
        kind="fcn8s",
        args={"bands": 4, "classes": 5, "width": 12, "fc_kernel": 3, "fc_width": 8},
        bands=["blue", "green", "red", "near infrared"],
        input={"scale": 1e-4, "mean": [0.12, 0.13, 0.13, 0.26], "std": [0.15, 0.15, 0.15, 0.16]},
        classes=_classes(samples.satellite.CLASSES, ("#2b83ba", "#1a7837", "#d9c26a", "#c7433e", "#f2f2f2")),
    ),
    schedule=Schedule(steps=900),
)
IHC = Recipe(
    scenes=["sample://ihc"],
    judges=["sample://ihc"],
    meta=ModelMeta(
        kind="fcn8s",
        args={"bands": 3, "classes": 3, "width": 12, "fc_kernel": 1, "fc_width": 8},
        bands=["red", "green", "blue"],
        input={"scale": 1 / 255, "mean": [0.75, 0.72, 0.75], "std": [0.18, 0.18, 0.18]},
        classes=_classes(samples.ihc.CLASSES, ("#f1eef6", "#3f51b5", "#8c510a")),
    ),
    schedule=Schedule(steps=500),
    side=128,
    learns=Window(row=0, col=0, height=512, width=320),
    judged=Window(row=0, col=320, height=512, width=192),
)
RECIPES = {"satellite": SATELLITE, "ihc": IHC}


def train(recipe: Recipe, out: Path, steps: int | None = None) -> None:
    """Train a recipe's network and write its weights, with all that `run` needs to know."""
    torch.manual_seed(recipe.seed)
    network = build(recipe.meta.kind, recipe.meta.args)
    schedule = recipe.schedule if steps is None else Schedule(steps=steps)
    drawn = batches(_scenes(recipe), _normalisation(recipe.meta), side=recipe.side, count=recipe.count, jitter=recipe.jitter, seed=recipe.seed)
    fit(network, drawn, schedule, _tell)
    save(out, network, recipe.meta)


def _scenes(recipe: Recipe) -> list[Scene]:
    return [scene(str(samples.resolve(uri)), str(samples.labels(uri)), recipe.learns) for uri in recipe.scenes]


def _normalisation(meta: ModelMeta) -> Normalisation:
    def per_band(name: str, default: float) -> tuple[float, ...]:
        value = meta.input.get(name, default)
        return tuple(value) if isinstance(value, list) else (value,) * len(meta.bands)

    return Normalisation(scale=per_band("scale", 1.0), offset=per_band("offset", 0.0), mean=per_band("mean", 0.0), std=per_band("std", 1.0))


def _tell(step: int, loss: float) -> None:
    if step % 50 == 0:
        print(f"step {step}: loss {loss:.4f}", flush=True)


def known(name: str) -> str:
    """The name of a recipe, or a usage error that lists them."""
    if name not in RECIPES:
        raise typer.BadParameter(f"{name} is not a recipe; there are {', '.join(RECIPES)}.")
    return name


Name = Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.", callback=known)]


def main(
    name: Name,
    out: Annotated[Path, typer.Option(help="Where the weights are written, .safetensors.")],
    steps: Annotated[int | None, typer.Option(help="Steps, instead of the recipe's.")] = None,
) -> None:
    """Train the network of a sample."""
    train(RECIPES[name], out, steps)


if __name__ == "__main__":
    typer.run(main)
