"""Steps before the network as keys of ``model.input``, one after the other.

Everything is one stretch by numbers of the raster, or none, before (x·scale + offset − mean) / std.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.models.descriptions.description import StepError

BandNumbers = float | list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKeys:
    """What was made of the steps so far; each method adds a step, and raises StepError where that is not done here."""

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

    def scaled(self, gain: BandNumbers, added: BandNumbers, step: str) -> InputKeys:
        """Followed by gain · x + added."""
        if (self.mean, self.std) == (0.0, 1.0) and self.is_linear:
            scale = _each(lambda gain, scale: gain * scale, gain, self.scale)
            offset = _each(lambda gain, offset, added: gain * offset + added, gain, self.offset, added)
            return replace(self, scale=scale, offset=offset)
        if 0 in listed(gain):
            raise StepError(f"{step} with gain 0 leaves nothing of the pixels")
        self._require_range(step)
        mean = _each(lambda mean, std, gain, added: mean - added * std / gain, self.mean, self.std, gain, added)
        return replace(self, mean=mean, std=_each(lambda std, gain: std / gain, self.std, gain))

    def with_mean(self, mean: BandNumbers, std: BandNumbers, step: str = "a mean and deviation") -> InputKeys:
        """Followed by (x − mean) / std: both as one mean and deviation."""
        self._require_range(f"{step} that are given")
        total = _each(lambda before, spread, mean: before + mean * spread, self.mean, self.std, mean)
        return replace(self, mean=total, std=_each(lambda before, std: before * std, self.std, std))

    def clipped(self, low: float | None, high: float | None, step: str) -> InputKeys:
        """Followed by a clipping: to 0…1 of what percentiles give, or to any range of a scaling of all bands."""
        if low is None or high is None or not low < high:
            raise StepError(f"{step} is done here between a lower end and one above it alone")
        gain, offset = self.linear(step)
        if self.normalise.get("method") == "percentile" and (gain, offset, low, high) == (1.0, 0.0, 0.0, 1.0):
            return replace(self, normalise={**self.normalise, "clip": True})
        if self.normalise or gain <= 0:
            raise StepError(
                f"{step} to {low:g}…{high:g} after numbers of the raster is done here for 0…1 of percentiles alone"
            )
        ends = {"low": (low - offset) / gain, "high": (high - offset) / gain}
        clipped = InputKeys(normalise={"method": "fixed", **ends, "clip": True})
        return clipped if (low, high) == (0.0, 1.0) else clipped.with_mean(-low / (high - low), 1 / (high - low))

    def stretched(self, normalise: dict[str, Any], eps: float, per_sample: bool, step: str) -> InputKeys:
        """Followed by numbers of the raster.

        A scaling before makes no difference but to the small number in the divisor.
        """
        if self.normalise:
            raise StepError(f"{step} follows another step that takes its numbers from the image")
        gain, _ = self.linear(step)
        if gain <= 0:
            raise StepError(f"{step} follows a scaling by {gain:g}, which turns light to dark")
        divisor = {"eps": eps / gain} if eps else {}
        return InputKeys(normalise={**normalise, **divisor}, per_sample=per_sample)

    def _require_range(self, step: str) -> None:
        if self.normalise.get("method") == "standardise":
            raise StepError(f"{step} after a mean and deviation of the image itself is not done here")


def listed(value: BandNumbers) -> list[float]:
    """The numbers of bands, one of a number for all."""
    return value if isinstance(value, list) else [value]


def _each(function: Callable[..., float], *values: BandNumbers) -> BandNumbers:
    """A function of numbers, for each band where any of them is a list."""
    count = max(len(listed(value)) for value in values)
    lists = [listed(value) * (count if len(listed(value)) == 1 else 1) for value in values]
    if any(len(numbers) != count for numbers in lists):
        raise StepError(f"a step has lists of {min(map(len, lists))} and {count} numbers, which fit no bands")
    results = [float(function(*numbers)) for numbers in zip(*lists, strict=True)]
    return results if any(isinstance(value, list) for value in values) else results[0]
