"""Steps before the network as keys of ``model.input``.

Everything is one stretch by numbers of the raster, or none, before (x·scale + offset − mean) / std.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.models.descriptions.bioimage import steps
from pipeline.models.descriptions.bioimage.description import BandNumbers, DescribedTensor
from pipeline.models.descriptions.bioimage.steps import Arguments, arguments_of, is_float, is_joint
from pipeline.models.descriptions.description import StepError


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKeys:
    """What was made of the steps so far."""

    scale: BandNumbers = 1.0
    offset: BandNumbers = 0.0
    mean: BandNumbers = 0.0
    std: BandNumbers = 1.0
    normalise: dict[str, Any] = field(default_factory=dict)
    """By numbers of the raster itself; empty where there are none."""
    per_sample: bool = False
    """Whether the numbers are those of each image in the training."""

    def as_section(self) -> dict[str, Any]:
        """Keys of ``model.input`` that are no defaults."""
        neutral = {"scale": 1.0, "offset": 0.0, "mean": 0.0, "std": 1.0}
        values = {name: getattr(self, name) for name in neutral}
        section = {name: value for name, value in values.items() if value != neutral[name]}
        return {**section, **({"normalise": self.normalise} if self.normalise else {})}

    @property
    def is_linear(self) -> bool:
        """Whether no number of a raster was asked for."""
        return not self.normalise

    def linear(self, step: str) -> tuple[float, float]:
        """(gain, offset) of all bands so far, without the stretch; raises StepError where bands differ."""
        numbers = (self.scale, self.offset, self.mean, self.std)
        scale, offset, mean, std = (value if isinstance(value, float) else None for value in numbers)
        if scale is None or offset is None or mean is None or std is None:
            raise StepError(f"{step} follows a scaling that differs from band to band, which is not done here")
        return scale / std, (offset - mean) / std


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
    if (keys.mean, keys.std) == (0.0, 1.0) and keys.is_linear:
        scale = _each(lambda gain, scale: gain * scale, arguments.gain, keys.scale)
        offset = _each(lambda gain, offset, added: gain * offset + added, arguments.gain, keys.offset, arguments.offset)
        return replace(keys, scale=scale, offset=offset)
    if 0 in _listed(arguments.gain):
        raise StepError("scale_linear with gain 0 leaves nothing of the pixels")
    _require_range(keys, "scale_linear")
    mean = _each(
        lambda mean, std, gain, added: mean - added * std / gain, keys.mean, keys.std, arguments.gain, arguments.offset
    )
    return replace(keys, mean=mean, std=_each(lambda std, gain: std / gain, keys.std, arguments.gain))


def _zero_mean_unit_variance(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.ZeroMeanUnitVariance)
    if arguments.mean is not None and arguments.std is not None:
        return _with_mean(keys, arguments.mean, arguments.std)
    if arguments.mode == "fixed":
        raise StepError("zero_mean_unit_variance with mode fixed lacks mean or std")
    step = "zero_mean_unit_variance"
    normalise = {"method": "standardise", "channels": _channels(arguments.axes, step)}
    return _stretched(keys, normalise, arguments.eps, arguments.mode, step)


def _fixed(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    assert isinstance(arguments, steps.FixedZeroMeanUnitVariance)
    if arguments.axis not in (None, "c"):
        raise StepError(f"fixed_zero_mean_unit_variance along {arguments.axis} is not done here, only along channels")
    return _with_mean(keys, arguments.mean, arguments.std)


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
    return _stretched(keys, normalise, arguments.eps, arguments.mode, "scale_range")


def _clip(keys: InputKeys, arguments: Arguments, tensor: DescribedTensor) -> InputKeys:
    """Clipping to 0…1 of what percentiles give, or to any range of what a scaling of all bands gives."""
    assert isinstance(arguments, steps.Clip)
    low, high = arguments.min, arguments.max
    if low is None or high is None or not low < high:
        raise StepError("clip is done here between a min and a max above it alone")
    gain, offset = keys.linear("clip")
    if keys.normalise.get("method") == "percentile" and (gain, offset, low, high) == (1.0, 0.0, 0.0, 1.0):
        return replace(keys, normalise={**keys.normalise, "clip": True})
    if keys.normalise or gain <= 0:
        raise StepError(
            f"clip to {low:g}…{high:g} after numbers of the raster is done here for 0…1 of scale_range alone"
        )
    ends = {"low": (low - offset) / gain, "high": (high - offset) / gain}
    clipped = InputKeys(normalise={"method": "fixed", **ends, "clip": True})
    return clipped if (low, high) == (0.0, 1.0) else _with_mean(clipped, -low / (high - low), 1 / (high - low))


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


def _stretched(keys: InputKeys, normalise: dict[str, Any], eps: float, mode: str | None, step: str) -> InputKeys:
    """By numbers of the raster: a scaling before makes no difference but to the small number in the divisor."""
    if keys.normalise:
        raise StepError(f"{step} follows another step that takes its numbers from the image")
    gain, _ = keys.linear(step)
    if gain <= 0:
        raise StepError(f"{step} follows a scaling by {gain:g}, which turns light to dark")
    divisor = {"eps": eps / gain} if eps else {}
    return InputKeys(normalise={**normalise, **divisor}, per_sample=mode != "per_dataset")


def _with_mean(keys: InputKeys, mean: BandNumbers, std: BandNumbers) -> InputKeys:
    """((y − keys.mean) / keys.std − mean) / std as one mean and deviation."""
    _require_range(keys, "a mean and deviation that are given")
    total = _each(lambda before, spread, mean: before + mean * spread, keys.mean, keys.std, mean)
    return replace(keys, mean=total, std=_each(lambda before, std: before * std, keys.std, std))


def _require_range(keys: InputKeys, step: str) -> None:
    if keys.normalise.get("method") == "standardise":
        raise StepError(f"{step} after zero_mean_unit_variance of the image is not done here")


def _listed(value: BandNumbers) -> list[float]:
    return value if isinstance(value, list) else [value]


def _each(function: Callable[..., float], *values: BandNumbers) -> BandNumbers:
    """A function of numbers, for each band where any of them is a list."""
    count = max(len(_listed(value)) for value in values)
    lists = [_listed(value) * (count if len(_listed(value)) == 1 else 1) for value in values]
    if any(len(numbers) != count for numbers in lists):
        raise StepError(f"a step has lists of {min(map(len, lists))} and {count} numbers, which fit no bands")
    results = [float(function(*numbers)) for numbers in zip(*lists, strict=True)]
    return results if any(isinstance(value, list) for value in values) else results[0]
