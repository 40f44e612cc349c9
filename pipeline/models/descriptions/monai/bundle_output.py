"""Steps of a bundle after the network as keys of ``model.output``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.monai.read import Bundle
from pipeline.models.descriptions.monai.transforms import (
    ActivationArguments,
    BundleStep,
    DiscreteArguments,
    bundle_steps,
    step_arguments,
    transform_name,
)
from pipeline.models.descriptions.output_keys import OutputKeys

POSTPROCESSING = "postprocessing"
PREDICTION = "pred"
"""What engines of MONAI call whatever a network returns."""
IGNORED_AFTER = {
    "Invert",
    "SaveImage",
    "EnsureType",
    "EnsureChannelFirst",
    "ToTensor",
    "ToNumpy",
    "ToDevice",
    "FromMetaTensor",
    "Identity",
    "SelectItems",
    "DeleteItems",
    "CopyItems",
    "SplitDim",
}
"""Steps that write files, lead back to the file's own grid, or leave the scores as they are."""


def bundle_output_keys(bundle: Bundle, name: str, channels: int | None) -> OutputKeys:
    """What the steps after the network mean.

    Parameters
    ----------
    bundle
        The bundle.
    name
        Of the output.
    channels
        That it has.

    Raises
    ------
    StepError
        A step is not done here.
    """
    keys = OutputKeys()
    if bundle.config is None or POSTPROCESSING not in bundle.config.content:
        return keys
    for step in bundle_steps(bundle.config, POSTPROCESSING, {name, PREDICTION}):
        kind = transform_name(step.target, {*_OUTPUT_STEPS, *IGNORED_AFTER})
        if kind is None:
            raise StepError(
                f"{step.target} is not among the steps that are done here ({', '.join(sorted(_OUTPUT_STEPS))}): a mask "
                f"is made of the network's scores"
            )
        keys = _OUTPUT_STEPS[kind](keys, step, channels) if kind in _OUTPUT_STEPS else keys
    return keys


def _activations(keys: OutputKeys, step: BundleStep, channels: int | None) -> OutputKeys:
    given = step_arguments(step, ActivationArguments)
    sigmoid, softmax = _first(given.sigmoid), _first(given.softmax)
    if sigmoid and softmax:
        raise StepError(f"{step.target} asks for a sigmoid and a softmax")
    name = "sigmoid" if sigmoid else "softmax"
    return keys.activated(name, channels, f"{step.target} ({name})") if sigmoid or softmax else keys


def _discrete(keys: OutputKeys, step: BundleStep, channels: int | None) -> OutputKeys:
    given = step_arguments(step, DiscreteArguments)
    threshold = _first(given.threshold)
    if _first(given.argmax):
        if channels == 1:
            raise StepError(f"{step.target} takes the likeliest of one channel, which is the same everywhere")
        if threshold is not None:
            raise StepError(f"{step.target} has a threshold beside argmax")
        return OutputKeys(activation=keys.activation)
    return keys if threshold is None else keys.cut(threshold, channels, step.target)


_OUTPUT_STEPS: dict[str, Callable[[OutputKeys, BundleStep, int | None], OutputKeys]] = {
    "Activations": _activations,
    "AsDiscrete": _discrete,
}


def _first(value: Any) -> Any:
    """Of an argument with an entry for each key, the one of the first."""
    return next(iter(value), None) if isinstance(value, tuple) else value
