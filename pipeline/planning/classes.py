"""What the network's channels and inputs mean: the config's word, then the file's own, then the defaults."""

from __future__ import annotations

import colorsys
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from pipeline.config import ClassConfig, Config, ModelConfig, ModelOutputConfig
from pipeline.config.stains import NUMBERS_OF
from pipeline.errors import ConfigError, ModelError
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Recipe
from pipeline.models import KINDS
from pipeline.models.descriptions import require_described_bands
from pipeline.models.input_transform import Transform, transform
from pipeline.models.probabilities import Activation
from pipeline.models.weights import ModelMeta, read_model_meta
from pipeline.models.weights.file_type import check_file
from pipeline.planning.activation import by_channels, require_logits
from pipeline.planning.band_numbers import (
    NEUTRAL_NUMBERS,
    NORMALISATION_FIELDS,
    normalisation_of_inputs,
    numbers_per_band,
)
from pipeline.planning.channels import require_stated_channels, resolve_values
from pipeline.planning.described import with_description
from pipeline.planning.members import is_combined, resolve_members
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.planning.types import TilePlan
from pipeline.store.spec import UNUSED_NODATA, ClassRow

UNUSED_THRESHOLD = 0.5
"""Stands in the fingerprint of a store without classes."""
DOCUMENT_ENDINGS = (".json", ".geojson", ".yaml", ".yml")
"""Of files that hold no network, but may describe one."""


def resolve_model(model: ModelConfig, bands: int, dtype: np.dtype[Any]) -> ResolvedModel:
    """Merge the config's model with what its description or file says, for so many bands of a dtype.

    Raises
    ------
    ConfigError, ModelError
        No kind is known, or a list has another length than the bands; or networks of a list do not go together.
    BandsError
        The description states another number of bands.
    """
    model = with_description(model)
    if is_combined(model):
        return resolve_members(model, lambda one: _resolve_one(one, bands, dtype))
    return _resolve_one(model, bands, dtype)


def _resolve_one(model: ModelConfig, bands: int, dtype: np.dtype[Any]) -> ResolvedModel:
    if model.path is not None and not model.described:
        check_file(model.path)
    if model.described and (model.input is None or model.input.transform is None):
        require_described_bands(model, bands)  # before lists of its numbers are found to be too long
    meta = read_model_meta(model.path) if model.path is not None and model.path.suffix == ".safetensors" else None
    kind = model.kind or (meta.kind if meta else None)
    if kind is None and model.path is not None and model.path.suffix.lower() in DOCUMENT_ENDINGS:
        raise ModelError(
            f"model.path is {model.path}, which is none of the descriptions that are read: rdf.yaml of bioimage.io, an "
            f"item of STAC with the fields mlm:…, configs/metadata.json of a MONAI bundle, config.json of "
            f"save_pretrained. It may be cut short. Give one of these, or the file of the network itself."
        )
    if kind is None:
        raise ConfigError(
            f"model.kind is missing, and {model.path} does not say what network it holds. Set model.kind: "
            f"{', '.join(KINDS)}."
        )
    args = {**(meta.args if meta and meta.kind == kind else {}), **model.args}
    output = ModelOutputConfig(**{**(meta.output if meta else {}), **model.output.model_dump(exclude_unset=True)})
    resolved = model.model_copy(update={"kind": kind, "args": args, "output": output})
    return ResolvedModel(
        model=resolved, normalisation=input_normalisation(model, meta, bands, dtype), classes=_classes(model, meta)
    )


def recipe(
    resolved: ResolvedModel,
    config: Config,
    channels: int,
    activation: Activation,
    *,
    precision: str,
    threads: int,
    tiles: TilePlan,
    fold: bool,
    crop: bool = False,
    runtime: str = "torch",
    runtime_release: str = "",
    memory_format: str = "channels_last",
) -> tuple[Recipe, tuple[ClassRow, ...]]:
    """The recipe and the class table of a network with so many output channels, whose activation is decided.

    Raises
    ------
    ConfigError
        The classes do not fit the channels, two share a code, or nodata is also a code.
    """
    rows = rows_of_job(resolved, config, channels)
    require_logits(resolved.model.output.temperature, activation)
    class_decoding, nodata = _numbers(activation, resolved.model.output.temperature), UNUSED_NODATA
    if rows:
        class_decoding = decoding(resolved.model.output, rows, channels, activation)
        nodata = _nodata(config.output.nodata, class_decoding.codes)
    codes = class_decoding.codes
    job_recipe = Recipe(
        normalisation=resolved.normalisation,
        decoding=class_decoding,
        layers=tuple(config.output.layers),
        nodata=nodata,
        dtype="uint8" if max((*codes, nodata)) <= 255 else "uint16",
        precision=precision,
        threads=threads,
        taper=tiles.taper,
        blend=tiles.blend,
        overlapping=tiles.halo is None,
        augment=tiles.augment,
        batch=tiles.batch,
        probabilities=config.output.probabilities_dtype,
        min_confidence=config.output.min_confidence,
        fold=fold,
        crop=crop,
        runtime=runtime,
        runtime_release=runtime_release,
        memory_format=memory_format,
        values=resolve_values(config, channels, resolved.classes),
        has_variance="variance" in config.output.layers,
    )
    if rows and job_recipe.values.channels and job_recipe.averages_probabilities:
        raise ConfigError(
            "tile.blend is probabilities, which are averaged before they are decoded, but output.layers has values "
            "beside the mask, which are what the network returns. Set tile.blend: logits, or take the layer "
            "probabilities instead."
        )
    return job_recipe, rows


def rows_of_job(resolved: ResolvedModel, config: Config, channels: int) -> tuple[ClassRow, ...]:
    """The class table of a job; empty where its store has no mask.

    Raises
    ------
    ConfigError, ModelError
        As `class_rows`; or the network returns another number of channels than its description states.
    """
    require_stated_channels(resolved.model, channels)
    return class_rows(resolved.classes, channels, resolved.model.output) if "mask" in config.output.layers else ()


def _numbers(activation: Activation, temperature: float) -> ClassDecoding:
    """Of channels that mean no class: they have no code, and no threshold is ever asked for."""
    return ClassDecoding(activation=activation, threshold=UNUSED_THRESHOLD, codes=(), temperature=temperature)


def input_normalisation(model: ModelConfig, meta: ModelMeta | None, bands: int, dtype: np.dtype[Any]) -> Normalisation:
    """What the config says of the input, else what the file says; of the raster's own numbers nothing yet.

    What the file says is of raw values, so that ``normalise`` of the config takes its place, unless it leaves them
    in their range, as stains do.

    Raises ConfigError where a list has another length than the bands.
    """
    if model.input_bands:
        return normalisation_of_inputs(model)
    values = dict(meta.input) if meta else {}
    normalise = None if model.input is None else model.input.normalise
    if normalise is not None and normalise.method not in NUMBERS_OF:
        values = {name: value for name, value in values.items() if name not in NORMALISATION_FIELDS}
    changed = _transform(model, values.pop("transform", None), bands, dtype)
    count = bands if changed is None else changed.channels
    if model.input is not None:
        values |= {
            name: getattr(model.input, name) for name in NORMALISATION_FIELDS if name in model.input.model_fields_set
        }
    count_text = (
        f"{count} bands are read"
        if count == bands
        else f"model.input.transform makes {count} channels of the {bands} bands that are read"
    )
    scale, offset, mean, std = (
        numbers_per_band(
            model.key_with_origin(f"model.input.{name}"), values.get(name, NEUTRAL_NUMBERS[name]), count, count_text
        )
        for name in NORMALISATION_FIELDS
    )
    return Normalisation(scale=scale, offset=offset, mean=mean, std=std, transform=changed)


def _transform(model: ModelConfig, trained: str | None, bands: int, dtype: np.dtype[Any]) -> Transform | None:
    """What changes raw pixels first.

    Raises ConfigError where the weights were trained with a transform that the config does not name.
    """
    if model.input is not None and "transform" in model.input.model_fields_set:
        return None if model.input.transform is None else transform(model.input.transform, bands, dtype)
    if trained is None:
        return None
    raise ConfigError(
        f"The weights in {model.path} were trained on pixels that model.input.transform {trained} had "
        f"changed, and the config names no transform. Give "
        f"model.input.transform: the path of that {trained}, or null to do without."
    )


def _classes(model: ModelConfig, meta: ModelMeta | None) -> list[ClassConfig] | None:
    if model.classes is not None:
        return model.classes
    return [ClassConfig(**row) for row in meta.classes] if meta and meta.classes else None


def class_rows(classes: list[ClassConfig] | None, channels: int, output: ModelOutputConfig) -> tuple[ClassRow, ...]:
    """The class table of a network with so many output channels.

    Raises ConfigError where the list or the thresholds do not fit.
    """
    cuts, independent = thresholds(output, channels), output.multilabel and channels > 1
    count = channels if channels > 1 else len(cuts) + 1
    if classes is None:
        classes = [ClassConfig(name=f"class{k}") for k in range(count)]
        classes += [ClassConfig(name="background", role="background")] if independent else []
    if independent:
        count += _beyond_channels(classes, channels)
    if len(classes) != count:
        logits = f"one logit, which means {_in_words(len(cuts))}" if channels == 1 else f"{channels} classes"
        raise ConfigError(
            f"model.classes lists {len(classes)} classes, but the network returns {logits}. List {count} "
            f"classes, in the network's order."
        )
    codes = [k if row.code is None else row.code for k, row in enumerate(classes)]
    if len(set(codes)) < count:
        raise ConfigError(
            f"model.classes gives the codes {codes}, two of which are the same. Give each class a code of its own."
        )
    return tuple(
        ClassRow(code=code, name=row.name, color=row.color or _color(k, count), role=row.role)
        for k, (row, code) in enumerate(zip(classes, codes, strict=True))
    )


def _beyond_channels(classes: list[ClassConfig], channels: int) -> int:
    """1 where the background has no channel of its own; a pixel of which no class holds must be called something."""
    if sum(row.role == "background" for row in classes) != 1:
        raise ConfigError(
            "model.output.multilabel needs one class with role: background: what a pixel is where no class "
            "reaches the threshold. Add "
            "{name: background, role: background} to model.classes, beyond the network's channels if it has "
            "no channel of its own."
        )
    return int(len(classes) == channels + 1)


def thresholds(output: ModelOutputConfig, channels: int) -> tuple[float, ...]:
    """The thresholds of a network with so many output channels.

    Raises ConfigError where a list of them cannot be meant.
    """
    given = tuple(output.threshold) if isinstance(output.threshold, list) else (output.threshold,)
    if channels > 1 and not output.multilabel and isinstance(output.threshold, list):
        raise ConfigError(
            f"model.output.threshold lists {list(given)}, but the network returns {channels} classes, of "
            f"which the likeliest wins. Leave it out; a list "
            "is for networks of one logit, or with multilabel: true, one threshold per channel."
        )
    if channels > 1 and isinstance(output.threshold, list) and len(given) != channels:
        raise ConfigError(
            f"model.output.threshold lists {len(given)} thresholds, but the network has {channels} "
            f"channels. Give one number, or one per channel."
        )
    if channels == 1 and any(high <= low for low, high in pairwise(given)):
        raise ConfigError(
            f"model.output.threshold lists {list(given)}, which does not increase. Give each threshold "
            f"once, the lowest first, as [0.3, 0.7]."
        )
    return given


def _in_words(cuts: int) -> str:
    return "two classes" if cuts == 1 else f"{cuts + 1} classes with its {cuts} thresholds"


def decoding(
    output: ModelOutputConfig, rows: tuple[ClassRow, ...], channels: int, activation: Activation | None = None
) -> ClassDecoding:
    """What each channel means; a background without a channel comes after them, wherever it is listed."""
    activation = activation or by_channels(output, channels)
    cuts, codes = thresholds(output, channels), [row.code for row in rows]
    threshold = cuts if len(cuts) > 1 else cuts[0]
    if not output.multilabel or channels == 1:
        return ClassDecoding(
            activation=activation, threshold=threshold, codes=tuple(codes), temperature=output.temperature
        )
    background = next(row.code for row in rows if row.role == "background")
    if len(codes) > channels:
        codes = [code for code in codes if code != background] + [background]
    order = tuple(codes.index(row.code) for row in rows)
    return ClassDecoding(
        activation=activation,
        threshold=threshold,
        codes=tuple(codes),
        background=codes.index(background),
        order=order,
        temperature=output.temperature,
    )


def _color(k: int, count: int) -> str:
    """Hues at even distances, so that neighbours differ."""
    r, g, b = colorsys.hsv_to_rgb(k / count, 0.65, 0.85)
    return f"#{round(r * 255):02x}{round(g * 255):02x}{round(b * 255):02x}"


def _nodata(requested: Literal["auto"] | int, codes: tuple[int, ...]) -> int:
    if requested == "auto":
        return 255 if max(codes) <= 254 else 65535
    if requested in codes:
        raise ConfigError(
            f"output.nodata is {requested}, which is also the code of a class. Give another value, or auto."
        )
    return requested
