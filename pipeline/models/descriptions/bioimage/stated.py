"""What a model of bioimage.io states, in keys of a config."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline.config import ModelConfig
from pipeline.models.descriptions.bioimage.description import DescribedTensor, ModelDescription
from pipeline.models.descriptions.bioimage.parts import EXECUTING
from pipeline.models.descriptions.bioimage.postprocessing import output_keys
from pipeline.models.descriptions.bioimage.preprocessing import input_keys
from pipeline.models.descriptions.bioimage.tensors import fixed_size, image_input, scores_output
from pipeline.models.descriptions.bioimage.weights import PREFERRED, architecture_factory, choose_kind, choose_weights
from pipeline.models.descriptions.description import Statement
from pipeline.models.descriptions.overrides import stated_input, stated_output


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
    name = description.package.name
    stated, of_each_sample = stated_input(model, name, partial(input_keys, image), fixed_size(description, image))
    digest = "is the stated one" if weights.file.sha256 else "is not stated"
    return Statement(
        title=f"{description.name}, by {description.package.name} (bioimage.io {description.version})",
        weights=f"{weights.format} weights {weights.file.source}, whose SHA-256 {digest}"
        f"{_alternatives(description, kind)}",
        kind=kind,
        code=architecture_factory(model, description) if kind == "python" and model.factory is None else None,
        args=weights.arguments,
        input=stated,
        of_each_sample=of_each_sample,
        output={} if tensor is None else _stated_output(description, tensor, key, model),
        channels=None if tensor is None else tensor.channels,
        channel_names=() if tensor is None else tensor.channel_names,
        classes=description.classes,
        hints=tuple(_hints(description, image, tensor)),
    )


def _stated_output(
    description: ModelDescription, tensor: DescribedTensor, key: str, model: ModelConfig
) -> dict[str, Any]:
    """What the steps mean, and what a training of ours says beyond them."""
    given = model.output.model_fields_set
    replaced = given | ({"multilabel"} if "activation" in given else set())
    extra = {name: value for name, value in description.output.items() if name not in replaced}
    steps = partial(output_keys, tensor)
    return {**stated_output(model, description.package.name, tensor.name, steps, key), **extra}


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
