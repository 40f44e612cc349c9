"""Steps done to one image as the description means them, by numbers of that image alone: for test images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.descriptions.bioimage import steps
from pipeline.models.descriptions.bioimage.description import DescribedTensor
from pipeline.models.descriptions.bioimage.steps import Arguments, arguments_of
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import BandNumbers

Image = npt.NDArray[np.float64]


def process_image(tensor: DescribedTensor, image: npt.NDArray[Any]) -> Image:
    """All steps of a tensor, done to an image of its axes (batch, bands, rows, cols).

    Raises
    ------
    StepError
        One of them is not done here.
    """
    x = image.astype(np.float64)
    for step in tensor.steps:
        arguments = arguments_of(step)
        if step.name not in _APPLIERS:
            raise StepError(f"{step.name} is not done here")
        x = _APPLIERS[step.name](x, arguments, tensor)
    return x


def _ensure_dtype(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.EnsureDtype)
    return x.astype(arguments.dtype).astype(np.float64)


def _scale_linear(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.ScaleLinear)
    return np.asarray(x * _along_bands(arguments.gain) + _along_bands(arguments.offset))


def _zero_mean_unit_variance(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.ZeroMeanUnitVariance)
    if arguments.mean is not None and arguments.std is not None:
        return np.asarray((x - _along_bands(arguments.mean)) / _along_bands(arguments.std))
    places = _places(tensor, arguments.axes)
    return np.asarray((x - x.mean(places, keepdims=True)) / (x.std(places, keepdims=True) + arguments.eps))


def _fixed(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.FixedZeroMeanUnitVariance)
    return np.asarray((x - _along_bands(arguments.mean)) / _along_bands(arguments.std))


def _scale_range(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.ScaleRange)
    percents = [arguments.min_percentile, arguments.max_percentile]
    low, high = np.percentile(x, percents, axis=_places(tensor, arguments.axes), keepdims=True)
    return np.asarray((x - low) / (high - low + arguments.eps))


def _clip(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.Clip)
    return np.clip(x, arguments.min, arguments.max)


def _binarize(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.Binarize)
    return (x > _along_bands(arguments.threshold)).astype(np.float64)


def _sigmoid(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def _softmax(x: Image, arguments: Arguments, tensor: DescribedTensor) -> Image:
    assert isinstance(arguments, steps.Softmax)
    place = tensor.letters.index(arguments.axis)
    raised = np.exp(x - x.max(place, keepdims=True))
    return np.asarray(raised / raised.sum(place, keepdims=True))


_APPLIERS: dict[str, Callable[[Image, Arguments, DescribedTensor], Image]] = {
    "ensure_dtype": _ensure_dtype,
    "scale_linear": _scale_linear,
    "zero_mean_unit_variance": _zero_mean_unit_variance,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_range": _scale_range,
    "clip": _clip,
    "binarize": _binarize,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}


def _along_bands(numbers: BandNumbers) -> Image:
    """Numbers that meet (batch, bands, rows, cols): one for all, or one per band."""
    return np.reshape(np.asarray(numbers, dtype=np.float64), (1, -1, 1, 1))


def _places(tensor: DescribedTensor, axes: list[str] | None) -> tuple[int, ...]:
    """Places of the axes along which numbers are counted together; all where none are named."""
    return tuple(place for place, letter in enumerate(tensor.letters) if axes is None or letter in axes)
