"""From a config to a training: everything is opened, counted and planned before the first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.config import ClassConfig, Config, InputConfig, ModelConfig, SceneConfig, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.inference.normalise import Normalisation
from pipeline.interfaces import Source
from pipeline.models.architectures import NETWORKS
from pipeline.models.native import arguments, build
from pipeline.models.weights import ModelMeta
from pipeline.planning import classes, finite
from pipeline.sources import open_source
from pipeline.store.spec import ClassRow
from pipeline.train import pretrained
from pipeline.train.class_counts import Atlas, complete, part, survey
from pipeline.train.dataset import Drawing
from pipeline.train.doubts import doubts, several
from pipeline.train.losses import Loss, class_weights
from pipeline.train.measure import measured
from pipeline.train.scenes import Scene, indices, open_scene
from pipeline.train.windows import Windows

DECIDES_NOTHING = {"loaders"}
"""Keys of the training that change no weight."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that is decided before the first step."""

    config: Config
    how: TrainingConfig
    model: ModelConfig
    """With nothing left open."""
    network: torch.nn.Module
    """Untrained, or started from other weights; its frozen part does not learn."""
    loss: Loss
    windows: Windows
    judged: Atlas
    """What judges."""
    rows: tuple[ClassRow, ...]
    """In the order of the indices."""
    table: Any
    """(65536,) uint8, class code → index."""
    meta: ModelMeta
    notes: list[str]
    """What it starts from and what is frozen, in words."""

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides the weights, as plain values."""
        scenes = [(scene.image.identity(), scene.truth) for scene in (*self.windows.drawing.atlas.scenes, *self.judged.scenes)]
        how = self.how.model_dump(mode="json", exclude=DECIDES_NOTHING)
        said = {
            **{f"training.{key}": value for key, value in how.items()}, "model.kind": self.meta.kind, "model.args": self.meta.args,
            "model.classes": [[row.code, row.name, row.role] for row in self.rows], "model.input": self.meta.input,
            **_code(self.windows.normalisation),
            "model.output": self.model.output.model_dump(mode="json"), "scenes and labels": scenes, "execution.precision": self.config.execution.precision,
        }  # fmt: skip
        return {key: str(value) for key, value in said.items()}


def prepare(config: Config, tell: Callable[[str], None]) -> Prepared:
    """Open scenes, survey their labels, and make the network.

    Raises
    ------
    ConfigError
        Something is missing or does not fit.
    LabelsError, SourceError, ModelError
        Labels, scenes or the weights to start from are wrong.
    """
    how = _how(config)
    first = _first(config, how.scenes[0])
    bands, how_read = first.bands, classes.normalisation(config.model, None, first.bands, first.dtype)
    model, rows, codes = _model(config, how_read.channels)
    table = indices(rows, codes)
    ordered = tuple(next(row for row in rows if row.code == code) for code in codes)
    tell(f"counting the labels of {len(how.scenes)} scene{'s' * (len(how.scenes) > 1)}")
    taught, judged = _atlases(config, how, rows, table, len(codes), bands)
    complete(taught, ordered)
    for line in doubts(taught, judged, ordered):
        tell(line)
    network, notes = _network(model, how)
    several(how, network, judged)
    drawing = Drawing(atlas=taught, table=table, how=how, retries=config.execution.retries)
    said = measured(drawing) if config.model.input is None else config.model.input.model_dump(include=set(classes.FIELDS))
    changed = {} if how_read.transform is None else {"transform": how_read.transform.place}
    for scene in (*taught.scenes, *judged.scenes):
        finite.check(scene.image, how_read.transform)
    model = model.model_copy(update={"input": InputConfig(**said, **changed)})
    windows = Windows(drawing=drawing, normalisation=classes.normalisation(model, None, bands, first.dtype))
    return Prepared(
        config=config, how=how, model=model, network=network, windows=windows, judged=judged, rows=ordered, table=table, notes=notes,
        loss=Loss(how.loss, _weights(model, how, taught), model.output.multilabel),
        meta=ModelMeta(
            kind=str(model.kind), args=model.args, bands=_names(config, bands), classes=[_class(row) for row in rows],
            input={**said, **{key: Path(place).name for key, place in changed.items()}},
            output=model.output.model_dump(exclude_defaults=True),
        ),
    )  # fmt: skip


def _code(how: Normalisation) -> dict[str, Any]:
    """What the transform of raw pixels is made of, where there is one."""
    return {} if how.transform is None else {"model.input.transform": how.transform.identity()}


def _how(config: Config) -> TrainingConfig:
    how = config.training
    if how is None:
        raise ConfigError("The config has no section training, so there is nothing to learn from. Add training: {scenes: [{path: …, labels: {path: …}}]}.")
    if config.model.kind not in NETWORKS:
        said = "missing" if config.model.kind is None else config.model.kind
        raise ConfigError(f"model.kind is {said}; train makes networks of ours. Set it to one of {', '.join(NETWORKS)}.")
    if config.model.classes is None:
        raise ConfigError("model.classes is missing; list the classes that the labels hold: [{name: water, color: '#2b83ba'}, …].")
    if how.batch % how.devices:
        raise ConfigError(f"training.batch is {how.batch}, which {how.devices} devices cannot share evenly. Give a multiple of training.devices.")
    return how


def _first(config: Config, scene: SceneConfig) -> Source:
    return open_source(config.source.model_copy(update={"path": scene.path}))


def _model(config: Config, bands: int) -> tuple[ModelConfig, tuple[ClassRow, ...], list[int]]:
    """The model with its arguments, the class table, and the codes in the order of the indices."""
    model = config.model.model_copy(update={"args": arguments(config.model, bands)})
    channels = int(model.args["classes"])
    if channels == 1 and len(classes.thresholds(model.output, channels)) > 1:
        raise ConfigError("model.output.threshold lists several thresholds, but labels tell one logit two classes. Train with one; run may cut as it likes.")
    rows = classes.class_rows(model.classes, channels, model.output)
    return model, rows, list(classes.decoding(model.output, rows, channels).codes)


def _atlases(config: Config, how: TrainingConfig, rows: tuple[ClassRow, ...], table: Any, classes: int, bands: int) -> tuple[Atlas, Atlas]:
    def opened(said: list[SceneConfig]) -> list[Scene]:
        return [open_scene(scene, config.source, rows, how.validation.block, bands) for scene in said]

    taught = survey(opened(how.scenes), table, classes)
    if how.validation.scenes is None:
        return part(taught, how.validation.share, how.seed)
    return taught, survey(opened(how.validation.scenes), table, classes)


def _network(model: ModelConfig, how: TrainingConfig) -> tuple[torch.nn.Module, list[str]]:
    torch.manual_seed(how.seed)
    network = build(str(model.kind), model.args)
    notes = []
    if how.start is not None:
        told = pretrained.tell(pretrained.start(network, pretrained.read(how.start), str(model.kind)))
        notes.append(f"{how.start}: {'; '.join(line.strip() for line in told.splitlines())}")
    if how.freeze is not None:
        frozen = pretrained.freeze(network, how.freeze)
        notes.append(f"{how.freeze} frozen: {frozen.parameters:,} numbers learnt")
    return network, notes


def _weights(model: ModelConfig, how: TrainingConfig, taught: Atlas) -> list[float] | None:
    """Of each channel, or of both classes of one logit; a background without a channel has none."""
    said, count = how.loss.classes, max(int(model.args["classes"]), 2)
    if isinstance(said, list) and len(said) != count:
        raise ConfigError(f"training.loss.classes has {len(said)} weights, but the network has {count} classes. Give one for each, or balanced.")
    return class_weights(taught.total.tolist()[:count]) if said == "balanced" else said


def _names(config: Config, bands: int) -> list[str]:
    return [f"band {number}" for number in (config.source.bands or range(1, bands + 1))]


def _class(row: ClassRow) -> dict[str, Any]:
    return ClassConfig(name=row.name, color=row.color, code=row.code, role=row.role).model_dump(exclude_none=True)
