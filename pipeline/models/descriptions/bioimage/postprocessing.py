"""Steps of bioimage.io after the network as keys of ``model.output``."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.models.descriptions.bioimage import steps
from pipeline.models.descriptions.bioimage.description import DescribedTensor
from pipeline.models.descriptions.bioimage.steps import Arguments, arguments_of, is_float
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.output_keys import OutputKeys


def output_keys(tensor: DescribedTensor) -> OutputKeys:
    """What the steps of an output mean, and whether it holds probabilities by its range.

    Raises
    ------
    StepError
        A step is not done here, or the output holds class numbers.
    """
    if tensor.is_label and not any(step.name == "binarize" for step in tensor.steps):
        raise StepError("its values are names of classes, not a score for each")
    keys = OutputKeys()
    for step in tensor.steps:
        arguments = arguments_of(step)
        if step.name not in _APPLIERS:
            raise StepError(f"{step.name} is not done to what a network returns: a mask is made of its scores")
        keys = _APPLIERS[step.name](keys, arguments, tensor)
    if not tensor.steps and tensor.range == (0.0, 1.0):
        return OutputKeys(activation="none")
    return keys


def _ensure_dtype(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    assert isinstance(arguments, steps.EnsureDtype)
    if not is_float(arguments.dtype) and keys.threshold is None:
        raise StepError(f"ensure_dtype {arguments.dtype} cuts the fractions of scores off")
    return keys


def _sigmoid(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    return keys.activated("sigmoid", tensor.channels, "sigmoid")


def _softmax(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    assert isinstance(arguments, steps.Softmax)
    if arguments.axis != "c":
        raise StepError(f"softmax along {arguments.axis} is not done here, only along channels")
    return keys.activated("softmax", tensor.channels, "softmax")


def _binarize(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    assert isinstance(arguments, steps.Binarize)
    if arguments.axis not in (None, "c"):
        raise StepError(f"binarize along {arguments.axis} is not done here, only along channels")
    return keys.cut(arguments.threshold, tensor.channels, "binarize")


def _clip(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    assert isinstance(arguments, steps.Clip)
    low, high = arguments.min, arguments.max
    if keys.activation is None or (low is not None and low > 0) or (high is not None and high < 1):
        raise StepError("clip changes scores, which is not done here")
    return keys


_APPLIERS: dict[str, Callable[[OutputKeys, Arguments, DescribedTensor], OutputKeys]] = {
    "ensure_dtype": _ensure_dtype,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "binarize": _binarize,
    "clip": _clip,
}
