"""Steps of a bundle before the network as keys of ``model.input``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import InputKeys
from pipeline.models.descriptions.monai.read import INFERENCE, Bundle
from pipeline.models.descriptions.monai.tensors import bundle_image
from pipeline.models.descriptions.monai.transforms import (
    BundleStep,
    CastArguments,
    NormalizeArguments,
    PercentileArguments,
    ScaleArguments,
    ScaleRangeArguments,
    bundle_steps,
    require_floats,
    step_arguments,
    transform_name,
)

PREPROCESSING = "preprocessing"
LOADER = "LoadImage"
ROWS_FIRST_READERS = ("NumpyReader", "WSIReader", "CuCIMWSIReader", "OpenSlideWSIReader", "TiffFileWSIReader")
"""Readers that give rows before cols, as rasters are given here; others give cols first."""
IGNORED_BEFORE = {
    LOADER,
    "EnsureChannelFirst",
    "AddChannel",
    "AsChannelFirst",
    "ToTensor",
    "ToDevice",
    "Identity",
    "DataStats",
    "SelectItems",
    "DeleteItems",
}
"""Steps that read a file, or leave the numbers of an image as they are."""
ADVICE_INSTEAD = {
    "Orientation": "it turns images, and a raster is read as it lies",
    "Spacing": "it brings pixels to another size, as source.grid.resolution does here",
    "Resize": "it brings images to one size, and a raster is read at the size that it has",
    "Zoom": "it brings images to another size, and a raster is read at the size that it has",
    "AsChannelLast": "it puts bands last, and networks are given bands first here",
    "Transpose": "it gives axes another order, and networks are given bands, rows and cols here",
    "Lambda": "it is code, and nothing of a bundle is executed",
}


def bundle_input_keys(bundle: Bundle) -> InputKeys:
    """What the steps before the network mean.

    Raises
    ------
    StepError
        They are not stated, or one is not done here, or not in this order.
    ModelError
        The bundle describes no image.
    """
    keys = InputKeys()
    for step in _steps(bundle):
        name = transform_name(step.target, {*_INPUT_STEPS, *IGNORED_BEFORE, *ADVICE_INSTEAD})
        if name in ADVICE_INSTEAD:
            raise StepError(f"{step.target} is not done: {ADVICE_INSTEAD[name]}")
        if name is None:
            raise StepError(
                f"{step.target} is not among the steps that are done here ({', '.join(sorted(_INPUT_STEPS))})"
            )
        keys = _INPUT_STEPS[name](keys, step) if name in _INPUT_STEPS else keys
    return keys


def turned_by_loader(bundle: Bundle) -> bool:
    """Whether images had cols before rows in the training, as far as can be seen; steps that are not known tell none.

    Readers of pictures and of volumes swap the axes, unless ``reverse_indexing`` says otherwise
    (https://docs.monai.io/en/stable/data.html#pilreader).
    """
    try:
        loaders = [step for step in _steps(bundle) if transform_name(step.target, {LOADER})]
    except StepError:
        return False
    arguments = loaders[0].arguments if loaders else {"reverse_indexing": False}
    reader = str(arguments.get("reader") or "").rpartition(".")[2]
    return reader not in ROWS_FIRST_READERS and arguments.get("reverse_indexing") is not False


def _steps(bundle: Bundle) -> Iterator[BundleStep]:
    if bundle.config is None:
        raise StepError(
            f"the steps are not known, since there is no {INFERENCE}.json or {INFERENCE}.yaml beside the metadata"
        )
    if PREPROCESSING not in bundle.config.content:
        raise StepError(f"the steps are not known, since {bundle.config_file} has no section {PREPROCESSING}")
    return bundle_steps(bundle.config, PREPROCESSING, {bundle_image(bundle)[0]})


def _cast(keys: InputKeys, step: BundleStep) -> InputKeys:
    require_floats(step, step_arguments(step, CastArguments).dtype)
    return keys


def _scale_range(keys: InputKeys, step: BundleStep) -> InputKeys:
    given = step_arguments(step, ScaleRangeArguments)
    require_floats(step, given.dtype)
    if given.a_min == given.a_max:
        raise StepError(f"{step.target} has an a_min that is its a_max")
    gain = 1 / (given.a_max - given.a_min)
    scaled = keys.scaled(gain, -given.a_min * gain, step.target)
    scaled = _to_range(scaled, given.b_min, given.b_max, step)
    return scaled.clipped(given.b_min, given.b_max, f"{step.target} with clip") if given.clip else scaled


def _percentiles(keys: InputKeys, step: BundleStep) -> InputKeys:
    given = step_arguments(step, PercentileArguments)
    require_floats(step, given.dtype)
    if given.relative or not given.lower < given.upper:
        reason = "with relative is not done here" if given.relative else "has a lower that is not below its upper"
        raise StepError(f"{step.target} {reason}")
    if given.clip and (given.b_min is None or given.b_max is None):
        raise StepError(f"{step.target} with clip is done here between b_min and b_max alone")
    normalise = {
        "method": "percentile",
        "channels": _channels(given.channel_wise),
        "low": given.lower,
        "high": given.upper,
        **({"clip": True} if given.clip else {}),
    }
    return _to_range(keys.stretched(normalise, 0.0, True, step.target), given.b_min, given.b_max, step)


def _scale(keys: InputKeys, step: BundleStep) -> InputKeys:
    given = step_arguments(step, ScaleArguments)
    require_floats(step, given.dtype)
    if given.minv is None and given.maxv is None:
        return keys.scaled(1 + (given.factor or 0.0), 0.0, step.target)
    normalise = {"method": "minmax", "channels": _channels(given.channel_wise)}
    return _to_range(keys.stretched(normalise, 0.0, True, step.target), given.minv, given.maxv, step)


def _normalize(keys: InputKeys, step: BundleStep) -> InputKeys:
    given = step_arguments(step, NormalizeArguments)
    require_floats(step, given.dtype)
    if given.nonzero:
        raise StepError(
            f"{step.target} with nonzero leaves pixels of 0 out, as here those are left out that source.nodata names"
        )
    if (given.subtrahend is None) != (given.divisor is None):
        raise StepError(f"{step.target} takes one of subtrahend and divisor from the image, and the other is given")
    if given.subtrahend is None or given.divisor is None:
        normalise = {"method": "standardise", "channels": _channels(given.channel_wise)}
        return keys.stretched(normalise, 0.0, True, step.target)
    divisor = [one or 1.0 for one in given.divisor] if isinstance(given.divisor, list) else given.divisor or 1.0
    return keys.with_mean(given.subtrahend, divisor, f"the subtrahend and divisor of {step.target}")


_INPUT_STEPS: dict[str, Callable[[InputKeys, BundleStep], InputKeys]] = {
    "CastToType": _cast,
    "EnsureType": _cast,
    "NormalizeIntensity": _normalize,
    "ScaleIntensity": _scale,
    "ScaleIntensityRange": _scale_range,
    "ScaleIntensityRangePercentiles": _percentiles,
}


def _to_range(keys: InputKeys, low: float | None, high: float | None, step: BundleStep) -> InputKeys:
    """From 0…1 to a range; as it is where an end is not given, as MONAI does."""
    if low is None or high is None or (low, high) == (0.0, 1.0):
        return keys
    return keys.scaled(high - low, low, step.target)


def _channels(channel_wise: bool) -> str:
    return "each" if channel_wise else "joint"
