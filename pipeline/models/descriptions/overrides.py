"""What a description states of input and output, less what the keys of a config take the place of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import InputKeys
from pipeline.models.descriptions.output_keys import OutputKeys

LINEAR = frozenset({"scale", "offset", "mean", "std"})
"""Keys of ``model.input`` that are numbers: any of them replaces a normalisation by numbers of the image."""


def stated_input(
    model: ModelConfig, name: str, steps: Callable[[], InputKeys], size: int | None
) -> tuple[dict[str, Any], bool]:
    """Keys of ``model.input`` that a description decides, and whether they are of each image in the training.

    Parameters
    ----------
    model
        The config.
    name
        Of the description, for messages.
    steps
        Reads the steps before the network; raises StepError where one is not done.
    size
        Training size, px; None where it varies.

    Raises
    ------
    ModelError
        A step is not done, and the config gives none in its place.
    """
    given = set() if model.input is None else model.input.model_fields_set
    sizes = {} if size is None or "size" in given else {"size": size}
    try:
        keys = steps()
    except StepError as error:
        if given & {*LINEAR, "normalise"}:
            return sizes, False
        raise ModelError(
            f"{name}: before the network, {error}. Give model.input in the config (scale, offset, mean, std, "
            f"normalise), which takes the place of all steps that the description has there."
        ) from error
    replaced = "normalise" in given or (not keys.is_linear and bool(given & LINEAR))
    section = {} if replaced else {name: value for name, value in keys.as_section().items() if name not in given}
    return {**section, **sizes}, keys.per_sample and not replaced


def stated_output(
    model: ModelConfig, name: str, output: str, steps: Callable[[], OutputKeys], key: str
) -> dict[str, Any]:
    """Keys of ``model.output`` that a description decides.

    Parameters
    ----------
    model
        The config.
    name, output
        Of the description, and of its output, for messages.
    steps
        Reads the steps after the network; raises StepError where one is not done.
    key
        Finds the output in what the network returns; ``auto`` where there is one alone.

    Raises
    ------
    ModelError
        A step is not done, and the config gives no activation in its place.
    """
    given = model.output.model_fields_set
    try:
        keys = steps()
    except StepError as error:
        if "activation" not in given:
            raise ModelError(
                f"{name}: of the output {output}, {error}. Give model.output.activation in the config, which takes "
                f"the place of the steps that the description has there."
            ) from error
        keys = OutputKeys()
    section = {**keys.as_section(), **({} if key == "auto" else {"key": key})}
    replaced = {*given, *({"multilabel"} if "activation" in given else set())}
    return {name: value for name, value in section.items() if name not in replaced}
