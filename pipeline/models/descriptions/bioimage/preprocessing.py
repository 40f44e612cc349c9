"""Steps of bioimage.io before the network as keys of ``model.input``."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.models.descriptions.bioimage import steps
from pipeline.models.descriptions.bioimage.description import DescribedTensor
from pipeline.models.descriptions.bioimage.steps import Arguments, arguments_of, is_float, is_joint
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import InputKeys


def input_keys(tensor: DescribedTensor) -> InputKeys:
    """What the steps of an input mean.

    Raises
    ------
    StepError
        A step is not done here, or not in this order.
    """
    keys = InputKeys()
    for step in tensor.steps:
        arguments = arguments_of(step)
        if step.name not in _APPLIERS:
            raise StepError(f"{step.name} is not done to the pixels of an input")
        keys = _APPLIERS[step.name](keys, arguments, tensor)
    return keys


def _ensure_dtype(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.EnsureDtype)
    if not is_float(arguments.dtype):
        raise StepError(f"ensure_dtype {arguments.dtype} cuts fractions off, and networks are given float32 here")
    return keys


def _scale_linear(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.ScaleLinear)
    if arguments.axis not in (None, "c"):
        raise StepError(f"scale_linear along {arguments.axis} is not done here, only along channels")
    return keys.scaled(arguments.gain, arguments.offset, "scale_linear")


def _zero_mean_unit_variance(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.ZeroMeanUnitVariance)
    if arguments.mean is not None and arguments.std is not None:
        return keys.with_mean(arguments.mean, arguments.std)
    if arguments.mode == "fixed":
        raise StepError("zero_mean_unit_variance with mode fixed lacks mean or std")
    step = "zero_mean_unit_variance"
    normalise = {"method": "standardise", "channels": _channels(arguments.axes, step)}
    return keys.stretched(normalise, arguments.eps, arguments.mode != "per_dataset", step)


def _fixed(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.FixedZeroMeanUnitVariance)
    if arguments.axis not in (None, "c"):
        raise StepError(f"fixed_zero_mean_unit_variance along {arguments.axis} is not done here, only along channels")
    return keys.with_mean(arguments.mean, arguments.std)


def _scale_range(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.ScaleRange)
    if arguments.reference_tensor not in (None, tensor.name):
        raise StepError(f"scale_range takes its percentiles from another tensor, {arguments.reference_tensor}")
    if arguments.min_percentile >= arguments.max_percentile:
        raise StepError("scale_range has a min_percentile that is not below its max_percentile")
    normalise = {
        "method": "percentile",
        "channels": _channels(arguments.axes, "scale_range"),
        "low": arguments.min_percentile,
        "high": arguments.max_percentile,
    }
    return keys.stretched(normalise, arguments.eps, arguments.mode != "per_dataset", "scale_range")


def _clip(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.Clip)
    return keys.clipped(arguments.min, arguments.max, "clip")


_APPLIERS: dict[str, Callable[[InputKeys, Arguments, DescribedTensor], InputKeys]] = {
    "ensure_dtype": _ensure_dtype,
    "scale_linear": _scale_linear,
    "zero_mean_unit_variance": _zero_mean_unit_variance,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_range": _scale_range,
    "clip": _clip,
}


def _channels(axes: list[str] | None, step: str) -> str:
    return "joint" if is_joint(axes, step) else "each"
