"""A model config with what the description at its path states, where the config leaves it open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.config import ClassConfig, Config, InputConfig, ModelConfig, ModelOutputConfig
from pipeline.errors import ModelError
from pipeline.models.bioimage.description import DescribedTensor, ModelDescription
from pipeline.models.bioimage.parts import EXECUTING
from pipeline.models.bioimage.postprocessing import OutputKeys, output_keys
from pipeline.models.bioimage.preprocessing import input_keys
from pipeline.models.bioimage.read import read_description
from pipeline.models.bioimage.steps import StepError
from pipeline.models.bioimage.tensors import fixed_size, image_input, scores_output
from pipeline.models.bioimage.weights import PREFERRED, choose_kind, choose_weights
from pipeline.planning.yaml_text import flow

LINEAR = {"scale", "offset", "mean", "std"}
BACKGROUND_CLASS = "background"
OVERRIDDEN = "the config gives"
ORIGIN = "the model's description"
Section = TypeVar("Section", InputConfig, ModelOutputConfig)


def with_description(model: ModelConfig) -> ModelConfig:
    """Fill in what the description states: kind, arguments, normalisation, size, activation, threshold, classes.

    A model whose path is no description, or that was filled in already, comes back as it is.

    Raises
    ------
    ModelError
        The description cannot be used, or asks for what is not done and the config does not override.
    """
    if model.path is None or model.described:
        return model
    description = read_description(model.path)
    return model if description is None else _filled(model, description)


def described_config(config: Config) -> Config:
    """The same of a whole config; raises as `with_description`."""
    return config.model_copy(update={"model": with_description(config.model)})


def _filled(model: ModelConfig, description: ModelDescription) -> ModelConfig:
    image = image_input(description)
    kind = choose_kind(model, description)
    weights = choose_weights(kind, description)
    tensor, key = scores_output(description, model.output.key)
    stated_input, from_sample = _stated_input(model, description, image)
    stated_output = {} if tensor is None else _stated_output(model, description, tensor, key)
    values: dict[str, Any] = {"kind": kind, "args": {**weights.arguments, **model.args}}
    values |= {"input": _merged(InputConfig, stated_input, model.input, description)}
    values |= {"output": _merged(ModelOutputConfig, stated_output, model.output, description)}
    names = () if tensor is None else tensor.channel_names
    values |= _names(model, tensor, names, values["output"])
    sentences = [
        f"{description.name}, by {description.package.name} (bioimage.io {description.version})",
        f"{weights.format} weights {weights.file.source}, whose SHA-256 "
        f"{'is the stated one' if weights.file.sha256 else 'is not stated'}{_alternatives(description, kind)}",
        *_section_sentences("model.input", stated_input, from_sample),
        *_section_sentences("model.output", stated_output, False),
        *_name_sentences(model, values),
        *_hints(description, image, tensor),
        *_overridden(model),
    ]
    return model.filled(values, tuple(sentences))


def _stated_input(
    model: ModelConfig, description: ModelDescription, image: DescribedTensor
) -> tuple[dict[str, Any], bool]:
    """Keys of ``model.input`` that the description decides, and whether they are of each image in the training."""
    given = set() if model.input is None else model.input.model_fields_set
    size = fixed_size(description, image)
    sizes = {} if size is None or "size" in given else {"size": size}
    try:
        keys = input_keys(image)
    except StepError as error:
        if given & {*LINEAR, "normalise"}:
            return sizes, False
        raise ModelError(
            f"{description.package.name}: before the network, {error}. Give model.input in the config (scale, offset, "
            f"mean, std, normalise), which takes the place of all steps that the description has there."
        ) from error
    replaced = "normalise" in given or (not keys.is_linear and bool(given & LINEAR))
    section = {} if replaced else {name: value for name, value in keys.as_section().items() if name not in given}
    return {**section, **sizes}, keys.per_sample and not replaced


def _stated_output(
    model: ModelConfig, description: ModelDescription, tensor: DescribedTensor, key: str
) -> dict[str, Any]:
    """Keys of ``model.output`` that the description decides."""
    given = model.output.model_fields_set
    try:
        keys = output_keys(tensor)
    except StepError as error:
        if "activation" not in given:
            raise ModelError(
                f"{description.package.name}: of the output {tensor.name}, {error}. Give model.output.activation in "
                f"the config, which takes the place of the steps that the description has there."
            ) from error
        keys = OutputKeys()
    section = {**keys.as_section(), **({} if key == "auto" else {"key": key})}
    replaced = {*given, *({"multilabel"} if "activation" in given else set())}
    return {name: value for name, value in section.items() if name not in replaced}


def _merged(
    section: type[Section], stated: dict[str, Any], given: Section | None, description: ModelDescription
) -> Section | None:
    """Stated values beside given ones, checked together."""
    if not stated:
        return given
    values = {} if given is None else {name: getattr(given, name) for name in given.model_fields_set}
    try:
        return section.model_validate({**stated, **values})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        part = "model.input" if section is InputConfig else "model.output"
        raise ModelError(
            f"{description.package.name} and the config together make a section {part} that cannot be: {reason}. Give "
            f"{part} in the config."
        ) from error


def _names(
    model: ModelConfig, tensor: DescribedTensor | None, names: tuple[str, ...], output: ModelOutputConfig
) -> dict[str, Any]:
    """Classes, and names of the channels, where channels have names and the config gives none."""
    if not names or tensor is None or len(names) != tensor.channels:
        return {}
    channels = {} if model.channels is not None else {"channels": list(names)}
    several = isinstance(output.threshold, list) and len(names) == 1 and len(output.threshold) > 1
    if model.classes is not None or several:
        return channels
    return {**channels, "classes": _classes(names, output.multilabel and len(names) > 1)}


def _classes(names: tuple[str, ...], multilabel: bool) -> list[ClassConfig]:
    """Of the channels, with a background where a pixel may be of none of them."""
    background = ClassConfig(name=BACKGROUND_CLASS, role="background")
    if len(names) == 1:
        return [background, ClassConfig(name=names[0])]
    listed = [background if multilabel and name == BACKGROUND_CLASS else ClassConfig(name=name) for name in names]
    return [*listed, *([background] if multilabel and BACKGROUND_CLASS not in names else [])]


def _section_sentences(section: str, stated: dict[str, Any], from_sample: bool) -> Iterator[str]:
    for name, value in stated.items():
        sample = name == "normalise" and from_sample
        remark = "; it is of each sample there, and the raster is the sample here, as a whole" if sample else ""
        yield f"{section}.{name}: {flow(value)}, as {ORIGIN} has it{remark}"


def _name_sentences(model: ModelConfig, values: dict[str, Any]) -> Iterator[str]:
    if "classes" in values:
        yield f"model.classes: {', '.join(row.name for row in values['classes'])}, as {ORIGIN} names its channels"


def _hints(description: ModelDescription, image: DescribedTensor, tensor: DescribedTensor | None) -> Iterator[str]:
    """What is told and decides nothing: measuring the network does."""
    axis = image.axis("x")
    if axis is not None and axis.step:
        yield f"sizes from {axis.minimum} px by {axis.step} px; what is measured of the network decides"
    halo = 0 if tensor is None else max((one.halo for one in tensor.axes if one.letter in "yx"), default=0)
    if halo:
        yield f"a halo of {halo} px is hinted at; what is measured of the network decides"
    size = training_pixel_size(image)
    if size is not None:
        yield (
            f"pixels of {size:.3g} m in its training"
            if size >= 0.01
            else f"pixels of {size * 1e6:.3g} µm in its training"
        )
    if any(one.test is not None for one in description.inputs):
        yield "a test image is there, which `inspect` compares"


def training_pixel_size(image: DescribedTensor) -> float | None:
    """Of the training, m; None where it is not stated, or rows and cols differ."""
    sizes = {axis.pixel_size for axis in image.axes if axis.letter in "yx"}
    return sizes.pop() if len(sizes) == 1 else None


def _overridden(model: ModelConfig) -> Iterator[str]:
    """What the config gives itself."""
    sections = {"model.input": model.input, "model.output": model.output}
    keys = [
        f"{name}.{key}"
        for name, section in sections.items()
        if section is not None
        for key in sorted(section.model_fields_set)
    ]
    keys += [f"model.{key}" for key in ("kind", "factory", "classes", "channels") if getattr(model, key) is not None]
    if keys:
        yield f"{OVERRIDDEN} {', '.join(keys)}, whatever the description states"


def _alternatives(description: ModelDescription, kind: str) -> str:
    others = [name for name in PREFERRED if name in description.weights and name != kind]
    others += ["python, with a factory,"] if EXECUTING in description.weights and kind in PREFERRED else []
    return f"; model.kind: {' or '.join(others)} takes others" if others else ""
