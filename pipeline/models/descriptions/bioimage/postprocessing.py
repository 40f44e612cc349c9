"""Steps after the network as keys of ``model.output``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.models.descriptions.bioimage import steps
from pipeline.models.descriptions.bioimage.description import BandNumbers, DescribedTensor
from pipeline.models.descriptions.bioimage.steps import Arguments, arguments_of, is_float
from pipeline.models.descriptions.description import StepError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputKeys:
    """What was made of the steps so far."""

    activation: str | None = None
    multilabel: bool = False
    threshold: BandNumbers | None = None

    def as_section(self) -> dict[str, Any]:
        """Keys of ``model.output`` that are no defaults."""
        section = {"activation": self.activation, "threshold": self.threshold}
        given = {name: value for name, value in section.items() if value is not None}
        return {**given, **({"multilabel": True} if self.multilabel else {})}


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
    _require_first(keys, "sigmoid")
    return OutputKeys(activation="sigmoid", multilabel=tensor.channels not in (None, 1))


def _softmax(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    assert isinstance(arguments, steps.Softmax)
    _require_first(keys, "softmax")
    if arguments.axis != "c":
        raise StepError(f"softmax along {arguments.axis} is not done here, only along channels")
    return OutputKeys(activation="softmax")


def _binarize(keys: OutputKeys, arguments: Arguments, tensor: DescribedTensor) -> OutputKeys:
    """A threshold of probabilities, or of the logits that a network returns as they are."""
    assert isinstance(arguments, steps.Binarize)
    if keys.threshold is not None:
        raise StepError("binarize is there twice")
    if arguments.axis not in (None, "c"):
        raise StepError(f"binarize along {arguments.axis} is not done here, only along channels")
    if keys.activation == "softmax":
        raise StepError("binarize after softmax would give pixels several classes or none")
    cuts = arguments.threshold if isinstance(arguments.threshold, list) else [arguments.threshold]
    between = all(0 < cut < 1 for cut in cuts)
    if keys.activation is not None and not between:
        raise StepError(f"binarize at {arguments.threshold} of probabilities, which lie between 0 and 1")
    activation = keys.activation or ("none" if between else "sigmoid")
    chances = cuts if between else [_logistic(cut) for cut in cuts]
    threshold: BandNumbers = chances if isinstance(arguments.threshold, list) and len(chances) > 1 else chances[0]
    return replace(keys, activation=activation, threshold=threshold, multilabel=tensor.channels not in (None, 1))


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


def _require_first(keys: OutputKeys, step: str) -> None:
    if keys.activation is not None:
        raise StepError(f"{step} follows another step that makes probabilities or a mask")


def _logistic(value: float) -> float:
    """The probability of a logit, which a config can name while it is above 0 and below 1."""
    if abs(value) > 30:
        raise StepError(f"binarize at {value:g}, which no logit passes or none falls short of")
    return 1 / (1 + math.exp(-value))
