"""Steps before and after the network as a bundle lists them: nested compositions flattened, names and keys read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.input_keys import BandNumbers
from pipeline.models.descriptions.monai.references import TARGET_KEY, BundleConfig, Unresolved, unresolved

TRANSFORMS_MODULE = "monai.transforms"
COMPOSE = "Compose"
SUFFIXES = ("Dict", "d", "D", "")
"""Of the names of transforms of dictionaries."""
COMMON_ARGUMENTS = {"keys", "allow_missing_keys", "_desc_", "_disabled_"}
"""Which decide nothing of what a step does to the tensor that it is done to."""
DTYPES_OF_FLOATS = ("float", "bfloat", "double", "half")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleStep:
    """One step."""

    target: str
    """As the config names it."""
    arguments: dict[str, Any]


class _Arguments(BaseModel):
    """Arguments of a step; one that is unknown is refused, since it would change numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CastArguments(_Arguments):
    """Of CastToType, EnsureType and others that pass numbers on."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    dtype: str | None = None


class ScaleRangeArguments(CastArguments):
    """(x − a_min) / (a_max − a_min) · (b_max − b_min) + b_min."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    a_min: float
    a_max: float
    b_min: float | None = None
    b_max: float | None = None
    clip: bool = False


class PercentileArguments(CastArguments):
    """The same, with percentiles of the image for a_min and a_max."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    lower: float = Field(ge=0, le=100)
    upper: float = Field(ge=0, le=100)
    b_min: float | None
    b_max: float | None
    clip: bool = False
    relative: bool = False
    channel_wise: bool = False


class NormalizeArguments(CastArguments):
    """(x − subtrahend) / divisor, of the image where they are not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    subtrahend: BandNumbers | None = None
    divisor: BandNumbers | None = None
    nonzero: bool = False
    channel_wise: bool = False


class ScaleArguments(CastArguments):
    """From the least and the largest value of the image to minv … maxv."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    minv: float | None = 0.0
    maxv: float | None = 1.0
    factor: float | None = None
    channel_wise: bool = False


class ActivationArguments(_Arguments):
    """What makes probabilities of scores."""

    sigmoid: bool | tuple[bool, ...] = False
    softmax: bool | tuple[bool, ...] = False
    other: None = None
    dim: Literal[0] = 0


class DiscreteArguments(_Arguments):
    """What makes a mask of probabilities."""

    argmax: bool | tuple[bool, ...] = False
    to_onehot: int | tuple[int | None, ...] | None = None
    threshold: float | tuple[float | None, ...] | None = None
    rounding: None = None
    dim: Literal[0] = 0
    keepdim: bool = True
    dtype: str | None = None


StepArguments = TypeVar("StepArguments", bound=_Arguments)


def bundle_steps(config: BundleConfig, part: str, tensors: Collection[str]) -> Iterator[BundleStep]:
    """The steps of a part of a config that are done to one of these tensors, in order.

    Raises
    ------
    StepError
        They are known by executing code alone.
    """
    yield from _flattened(config.value(part), set(tensors))


def _flattened(value: Any, tensors: set[str]) -> Iterator[BundleStep]:
    if isinstance(value, Unresolved):
        raise StepError(f"steps are given by {value}")
    if isinstance(value, list):
        for entry in value:
            yield from _flattened(entry, tensors)
        return
    if not isinstance(value, Mapping) or TARGET_KEY not in value:
        raise StepError(f"a step is {value!r}, which names no {TARGET_KEY}")
    disabled = value.get("_disabled_", False)
    if disabled is True or str(disabled).strip().lower() == "true":
        return
    target = str(value[TARGET_KEY])
    if target.removeprefix(f"{TRANSFORMS_MODULE}.") == COMPOSE:
        yield from _flattened(value.get("transforms", []), tensors)
        return
    if not _is_of(value.get("keys"), tensors):
        return
    yield BundleStep(target=target, arguments={key: entry for key, entry in value.items() if key != TARGET_KEY})


def _is_of(keys: Any, tensors: set[str]) -> bool:
    """Whether a step is done to one of these tensors; also where its keys are not known, or it has none."""
    names = keys if isinstance(keys, list) else [keys]
    return not all(isinstance(name, str) for name in names) or bool(tensors & set(names))


def transform_name(target: str, known: Collection[str]) -> str | None:
    """Which of MONAI's transforms a target is; None where it is no known one, or somebody else's."""
    module, _, name = target.rpartition(".")
    if module and not f"{module}.".startswith(f"{TRANSFORMS_MODULE}."):
        return None
    stems = (name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix))
    return next((stem for stem in stems if stem in known), None)


def step_arguments(step: BundleStep, kind: type[StepArguments]) -> StepArguments:
    """The checked arguments of a step.

    Raises
    ------
    StepError
        One is unknown, is something else, or is known by executing code alone.
    """
    arguments = {name: value for name, value in step.arguments.items() if name not in COMMON_ARGUMENTS}
    accepted = kind.model_fields if kind.model_config.get("extra") == "ignore" else arguments
    for name in accepted:
        if unknown := next(unresolved(arguments.get(name)), None):
            raise StepError(f"{step.target} has {name} {unknown}, and nothing of a bundle is executed")
    try:
        return kind.model_validate({name: arguments[name] for name in accepted if name in arguments})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:1]))
        raise StepError(f"{step.target} has an argument {where} that cannot be used ({first['msg']})") from error


def require_floats(step: BundleStep, dtype: str | None) -> None:
    """Raise StepError where a step makes whole numbers of fractions."""
    name = (dtype or "float32").rpartition(".")[2]
    if not name.startswith(DTYPES_OF_FLOATS):
        raise StepError(f"{step.target} to {dtype} cuts fractions off, and networks are given float32 here")
