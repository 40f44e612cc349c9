"""Steps before and after the network, with checked arguments; one that is not done here has a reason."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.models.descriptions.bioimage.description import ProcessingStep
from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import BandNumbers

MAX_EPS = 0.1


class Arguments(BaseModel):
    """Arguments of a step; one that is unknown is refused, since it would change numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoArguments(Arguments):
    """A step without arguments."""


class EnsureDtype(Arguments):
    """Another type for the same numbers."""

    dtype: str


class ScaleLinear(Arguments):
    """gain · x + offset."""

    gain: BandNumbers = 1.0
    offset: BandNumbers = 0.0
    axes: list[str] | None = None
    axis: str | None = None


class ZeroMeanUnitVariance(Arguments):
    """(x − mean) / (std + eps)."""

    mode: Literal["fixed", "per_dataset", "per_sample"] | None = None
    axes: list[str] | None = None
    mean: BandNumbers | None = None
    std: BandNumbers | None = None
    eps: float = Field(1e-6, ge=0, le=MAX_EPS)


class FixedZeroMeanUnitVariance(Arguments):
    """(x − mean) / std."""

    mean: BandNumbers
    std: BandNumbers
    axis: str | None = None


class ScaleRange(Arguments):
    """(x − low) / (high − low + eps), of percentiles."""

    mode: Literal["per_dataset", "per_sample"] = "per_sample"
    axes: list[str] | None = None
    min_percentile: float = Field(0.0, ge=0, lt=100)
    max_percentile: float = Field(100.0, gt=0, le=100)
    eps: float = Field(1e-6, ge=0, le=MAX_EPS)
    reference_tensor: str | None = None


class Clip(Arguments):
    """Values beyond the ends become the ends."""

    min: float | None = None
    max: float | None = None


class Binarize(Arguments):
    """1 above the threshold, and 0 elsewhere."""

    threshold: BandNumbers
    axis: str | None = None


class Softmax(Arguments):
    """Probabilities along an axis that add up to 1."""

    axis: str = "c"


STEP_ARGUMENTS: dict[str, type[Arguments]] = {
    "ensure_dtype": EnsureDtype,
    "scale_linear": ScaleLinear,
    "zero_mean_unit_variance": ZeroMeanUnitVariance,
    "fixed_zero_mean_unit_variance": FixedZeroMeanUnitVariance,
    "scale_range": ScaleRange,
    "clip": Clip,
    "binarize": Binarize,
    "sigmoid": NoArguments,
    "softmax": Softmax,
}


def arguments_of(step: ProcessingStep) -> Arguments:
    """The arguments of a step.

    Raises
    ------
    StepError
        The step is code, unknown, or has an argument that is unknown or is something else.
    """
    if step.code is not None:
        raise StepError(f"{step.name} is code of the package ({step.code}), and nothing of a package is executed")
    kind = STEP_ARGUMENTS.get(step.name)
    if kind is None:
        raise StepError(f"{step.name} is not among the steps that are done here ({', '.join(STEP_ARGUMENTS)})")
    try:
        return kind.model_validate(_without_none(step.arguments))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:1]))
        raise StepError(f"{step.name} has an argument {where} that cannot be used ({first['msg']})") from error


def _without_none(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def is_float(dtype: str) -> bool:
    """Whether numbers keep their fractions in a type."""
    return dtype.startswith("float")


def is_joint(axes: list[str] | None, step: str) -> bool:
    """Whether the pixels of all channels are counted together; else those of each.

    Raises
    ------
    StepError
        Pixels along x or y are not counted together: rows would have numbers of their own.
    """
    if axes is None:
        return True
    if not {"x", "y"} <= set(axes):
        raise StepError(f"{step} counts along {', '.join(axes)}, and here along y and x, or those and c")
    return "c" in axes
