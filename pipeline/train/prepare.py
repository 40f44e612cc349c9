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
from pipeline.models.native import build_native, network_arguments
from pipeline.models.weights import ModelMeta
from pipeline.planning import classes, finite
from pipeline.planning.band_numbers import NORMALISATION_FIELDS
from pipeline.privacy.stand_in import stand_in
from pipeline.sources import open_source
from pipeline.store.spec import ClassRow
from pipeline.train import pretrained
from pipeline.train.class_counts import ClassCounts, complete, count_classes, part
from pipeline.train.dataset import Windows, WindowSampler, measure_normalisation
from pipeline.train.losses import Loss, class_weights
from pipeline.train.preflight import check_devices, common_pixel_size, training_warnings
from pipeline.train.scenes import Scene, index_table, open_scene, source_of_scene

DECIDES_NOTHING = {"loaders"}
"""Keys of the training that change no weight."""
NAMES_SCENES = {"training.scenes", "training.validation", "scenes and labels"}
"""Keys of its fingerprint that hold paths."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that is decided before the first step."""

    config: Config
    training: TrainingConfig
    model: ModelConfig
    """With nothing left open."""
    network: torch.nn.Module
    """Untrained, or started from other weights; its frozen part does not learn."""
    loss: Loss
    windows: Windows
    validation_counts: ClassCounts
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
        scenes = [
            (scene.image.identity(), scene.truth)
            for scene in (*self.windows.sampler.class_counts.scenes, *self.validation_counts.scenes)
        ]
        settings = self.training.model_dump(mode="json", exclude=DECIDES_NOTHING)
        values = {
            **{f"training.{key}": value for key, value in settings.items()},
            "model.kind": self.meta.kind,
            "model.args": self.meta.args,
            "model.classes": [[row.code, row.name, row.role] for row in self.rows],
            "model.input": self.meta.input,
            **_code(self.windows.normalisation),
            "model.output": self.model.output.model_dump(mode="json"),
            "scenes and labels": scenes,
            "execution.precision": self.config.execution.precision,
        }
        redact = self.config.output.redact
        return {key: stand_in(value) if redact and key in NAMES_SCENES else str(value) for key, value in values.items()}


def prepare_training(config: Config, notify: Callable[[str], None]) -> Prepared:
    """Open scenes, survey their labels, and make the network.

    Raises
    ------
    ConfigError
        Something is missing or does not fit.
    LabelsError, SourceError, ModelError
        Labels, scenes or the weights to start from are wrong.
    """
    training = _training_config(config)
    first = _first(config, training.scenes[0])
    bands, normalisation = first.bands, classes.input_normalisation(config.model, None, first.bands, first.dtype)
    model, rows, codes = _model(config, normalisation.channels)
    table = index_table(rows, codes)
    ordered = tuple(next(row for row in rows if row.code == code) for code in codes)
    notify(f"counting the labels of {len(training.scenes)} scene{'s' * (len(training.scenes) > 1)}")
    train_counts, validation_counts = _class_counts(config, training, rows, table, len(codes), bands)
    complete(train_counts, ordered)
    for line in training_warnings(train_counts, validation_counts, ordered):
        notify(f"warning: {line}")
    network, notes = _network(model, training)
    check_devices(training, network, validation_counts)
    sampler = WindowSampler(class_counts=train_counts, table=table, training=training, retries=config.execution.retries)
    input_fields = (
        measure_normalisation(sampler)
        if config.model.input is None
        else config.model.input.model_dump(include=set(NORMALISATION_FIELDS))
    )
    changed = {} if normalisation.transform is None else {"transform": normalisation.transform.place}
    scenes = [*train_counts.scenes, *validation_counts.scenes]
    for scene in scenes:
        finite.check_transform(scene.image, normalisation.transform)
    model = model.model_copy(update={"input": InputConfig(**input_fields, **changed)})
    windows = Windows(sampler=sampler, normalisation=classes.input_normalisation(model, None, bands, first.dtype))
    return Prepared(
        config=config,
        training=training,
        model=model,
        network=network,
        windows=windows,
        validation_counts=validation_counts,
        rows=ordered,
        table=table,
        notes=notes,
        loss=Loss(training.loss, _weights(model, training, train_counts), model.output.multilabel),
        meta=ModelMeta(
            kind=str(model.kind),
            args=model.args,
            bands=_names(config, bands),
            classes=[_class(row) for row in rows],
            input={**input_fields, **{key: Path(place).name for key, place in changed.items()}},
            output=model.output.model_dump(exclude_defaults=True),
            pixel_size=common_pixel_size(scenes),
        ),
    )


def _code(normalisation: Normalisation) -> dict[str, Any]:
    """What the transform of raw pixels is made of, where there is one."""
    return {} if normalisation.transform is None else {"model.input.transform": normalisation.transform.identity()}


def _training_config(config: Config) -> TrainingConfig:
    training = config.training
    if training is None:
        raise ConfigError(
            "The config has no section training, so there is nothing to learn from. Add training: {scenes: "
            "[{path: …, labels: {path: …}}]}."
        )
    if config.model.kind not in NETWORKS:
        kind = "missing" if config.model.kind is None else config.model.kind
        raise ConfigError(
            f"model.kind is {kind}; train makes networks of ours. Set it to one of {', '.join(NETWORKS)}."
        )
    if config.model.inputs:
        raise ConfigError(
            "model.inputs names sources of several inputs, and train makes networks that take one image. Leave it out; "
            "kind: stack of source puts bands of several files side by side."
        )
    if config.model.classes is None:
        raise ConfigError(
            "model.classes is missing; list the classes that the labels hold: [{name: water, color: '#2b83ba'}, …]."
        )
    if config.model.output.map is not None:
        raise ConfigError(
            "model.output.map adds up classes of a network that is there, and labels of a training are of the "
            "network's own classes. Leave map out of the training, and give it to the config that runs the weights."
        )
    if config.model.input is not None and config.model.input.normalise is not None:
        raise ConfigError(
            "model.input.normalise takes numbers of one raster, and a training has many windows of several: each scene "
            "would be normalised by numbers that the file of the network cannot hold. Leave it out, and train measures "
            "mean and std of all scenes together; or give mean and std."
        )
    if training.batch % training.devices:
        raise ConfigError(
            f"training.batch is {training.batch}, which {training.devices} devices cannot share evenly. "
            f"Give a multiple of training.devices."
        )
    return training


def _first(config: Config, scene: SceneConfig) -> Source:
    return open_source(source_of_scene(scene, config.source))


def _model(config: Config, bands: int) -> tuple[ModelConfig, tuple[ClassRow, ...], list[int]]:
    """The model with its arguments, the class table, and the codes in the order of the indices."""
    model = config.model.model_copy(update={"args": network_arguments(config.model, bands)})
    channels = int(model.args["classes"])
    if channels == 1 and len(classes.thresholds(model.output, channels)) > 1:
        raise ConfigError(
            "model.output.threshold lists several thresholds, but labels tell one logit two classes. Train "
            "with one; run may cut as it likes."
        )
    rows = classes.class_rows(model.classes, channels, model.output)
    return model, rows, list(classes.decoding(model.output, rows, channels).codes)


def _class_counts(
    config: Config, training: TrainingConfig, rows: tuple[ClassRow, ...], table: Any, classes: int, bands: int
) -> tuple[ClassCounts, ClassCounts]:
    def open_scenes(said: list[SceneConfig]) -> list[Scene]:
        return [open_scene(scene, config.source, rows, training.validation.block, bands) for scene in said]

    train_counts = count_classes(open_scenes(training.scenes), table, classes)
    if training.validation.scenes is None:
        return part(train_counts, training.validation.share, training.seed)
    return train_counts, count_classes(open_scenes(training.validation.scenes), table, classes)


def _network(model: ModelConfig, training: TrainingConfig) -> tuple[torch.nn.Module, list[str]]:
    torch.manual_seed(training.seed)
    network = build_native(str(model.kind), model.args)
    notes = []
    if training.start is not None:
        report = pretrained.report_text(
            pretrained.load_pretrained(network, pretrained.read_weights(training.start), str(model.kind))
        )
        notes.append(f"{training.start}: {'; '.join(line.strip() for line in report.splitlines())}")
    if training.freeze is not None:
        frozen = pretrained.freeze_layers(network, training.freeze)
        notes.append(f"{training.freeze} frozen: {frozen.parameters:,} numbers learnt")
    return network, notes


def _weights(model: ModelConfig, training: TrainingConfig, train_counts: ClassCounts) -> list[float] | None:
    """Of each channel, or of both classes of one logit; a background without a channel has none."""
    weights, count = training.loss.classes, max(int(model.args["classes"]), 2)
    if isinstance(weights, list) and len(weights) != count:
        raise ConfigError(
            f"training.loss.classes has {len(weights)} weights, but the network has {count} classes. Give "
            f"one for each, or balanced."
        )
    return class_weights(train_counts.total.tolist()[:count]) if weights == "balanced" else weights


def _names(config: Config, bands: int) -> list[str]:
    return [f"band {number}" for number in (config.source.bands or range(1, bands + 1))]


def _class(row: ClassRow) -> dict[str, Any]:
    return ClassConfig(name=row.name, color=row.color, code=row.code, role=row.role).model_dump(exclude_none=True)
