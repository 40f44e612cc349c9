"""What a model of bioimage.io states, in keys of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.bioimage.description import DescribedTensor, ModelDescription
from pipeline.models.descriptions.bioimage.parts import EXECUTING
from pipeline.models.descriptions.bioimage.postprocessing import output_keys
from pipeline.models.descriptions.bioimage.preprocessing import input_keys
from pipeline.models.descriptions.bioimage.tensors import fixed_size, image_input, scores_output
from pipeline.models.descriptions.bioimage.weights import PREFERRED, choose_kind, choose_weights
from pipeline.models.descriptions.description import Statement, StepError
from pipeline.models.descriptions.output_keys import OutputKeys
from pipeline.models.descriptions.overrides import LINEAR


def state(description: ModelDescription, model: ModelConfig) -> Statement:
    """What the description states beside a config.

    Raises
    ------
    ModelError
        The description cannot be used, or asks for what is not done and the config does not override.
    """
    image = image_input(description)
    kind = choose_kind(model, description)
    weights = choose_weights(kind, description)
    tensor, key = scores_output(description, model.output.key)
    stated_input, of_each_sample = _stated_input(model, description, image)
    digest = "is the stated one" if weights.file.sha256 else "is not stated"
    return Statement(
        title=f"{description.name}, by {description.package.name} (bioimage.io {description.version})",
        weights=f"{weights.format} weights {weights.file.source}, whose SHA-256 {digest}"
        f"{_alternatives(description, kind)}",
        kind=kind,
        args=weights.arguments,
        input=stated_input,
        of_each_sample=of_each_sample,
        output={} if tensor is None else _stated_output(model, description, tensor, key),
        channels=None if tensor is None else tensor.channels,
        channel_names=() if tensor is None else tensor.channel_names,
        hints=tuple(_hints(description, image, tensor)),
    )


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


def _hints(description: ModelDescription, image: DescribedTensor, tensor: DescribedTensor | None) -> Iterator[str]:
    """What is told and decides nothing: measuring the network does."""
    axis = image.axis("x")
    if axis is not None and axis.step:
        yield f"sizes from {axis.minimum} px by {axis.step} px; what is measured of the network decides"
    halo = 0 if tensor is None else max((one.halo for one in tensor.axes if one.letter in "yx"), default=0)
    if halo:
        yield f"a halo of {halo} px is hinted at; what is measured of the network decides"
    if image.test is not None:
        yield "a test image is there, which `inspect` compares"


def _alternatives(description: ModelDescription, kind: str) -> str:
    others = [name for name in PREFERRED if name in description.weights and name != kind]
    others += ["python, with a factory,"] if EXECUTING in description.weights and kind in PREFERRED else []
    return f"; model.kind: {' or '.join(others)} takes others" if others else ""
