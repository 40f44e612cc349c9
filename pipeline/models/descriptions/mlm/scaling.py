"""What is done to the numbers of an input, in keys of ``model.input``.

Each band is scaled by numbers that are stated: (x − a) / b, or clipped between two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.models.descriptions.description import StepError
from pipeline.models.descriptions.mlm.parts import InputPart, ScalingPart

NORM_TYPES = {"min-max": "min-max", "z-score": "z-score"}
"""Words of version 1.3 and before, by those of today; the others take their numbers from each image."""
BandValues = list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandScaling:
    """(x − start) / width of one band, or x between ``start`` and ``start`` + ``width``."""

    name: str = "none"
    start: float = 0.0
    width: float = 1.0

    @property
    def clips(self) -> bool:
        """Whether numbers beyond both ends become the ends."""
        return self.name == "clip"


def scaling_keys(image: InputPart) -> dict[str, Any]:
    """Keys of ``model.input`` for the scaling that an input states; empty where it states none.

    Raises
    ------
    StepError
        A scaling is not done here, lacks a number, or is stated of another number of bands.
    """
    parts = _parts(image)
    if not parts or all(part is None or part.type is None for part in parts):
        return {}
    if image.channels is not None and len(parts) not in (1, image.channels):
        raise StepError(
            f"value_scaling has {len(parts)} entries for {image.channels} bands; it needs one for all, or one for each"
        )
    return section_of([_band_scaling(part) for part in parts])


def _parts(image: InputPart) -> tuple[ScalingPart | None, ...]:
    """Entries of today's form; older ones state a kind once, and its numbers as statistics."""
    if image.value_scaling is not None or image.norm_type is None:
        return image.value_scaling or ()
    if image.norm_type not in NORM_TYPES:
        raise StepError(f"norm_type {image.norm_type} takes its numbers from each image, which would make seams")
    if image.norm_clip:
        raise StepError(f"norm_clip {image.norm_clip} follows the scaling")
    if not image.statistics:
        raise StepError(f"norm_type {image.norm_type} is stated without statistics, so that its numbers are not known")
    entries = tuple(part.model_copy(update={"type": image.norm_type}) for part in image.statistics)
    return entries[:1] if image.norm_by_channel is False else entries


def _band_scaling(part: ScalingPart | None) -> BandScaling:
    name = None if part is None else part.type
    if part is None or name is None:
        return BandScaling()
    if name not in _READERS:
        expression = f" ({part.expression}, {part.format})" if part.expression is not None else ""
        raise StepError(
            f"value_scaling {name}{expression} is not done here; {', '.join(_READERS)} are"
            + (", and nothing of a description is computed" if expression else "")
        )
    scaling = _READERS[name](part)
    if not scaling.width:
        raise StepError(f"value_scaling {name} divides by 0")
    return scaling


def _number(part: ScalingPart, name: str) -> float:
    value: float | None = getattr(part, name)
    if value is None:
        raise StepError(f"value_scaling {part.type} lacks its {name}")
    return value


def _between(part: ScalingPart) -> BandScaling:
    low, high = _number(part, "minimum"), _number(part, "maximum")
    if low >= high:
        raise StepError(f"value_scaling {part.type} goes from {low:g} to {high:g}, which is not above it")
    return BandScaling(name=str(part.type), start=low, width=high - low)


_READERS: dict[str, Callable[[ScalingPart], BandScaling]] = {
    "min-max": _between,
    "clip": _between,
    "z-score": lambda part: BandScaling(name="z-score", start=_number(part, "mean"), width=_number(part, "stddev")),
    "offset": lambda part: BandScaling(name="offset", start=_number(part, "value")),
    "scale": lambda part: BandScaling(name="scale", width=_number(part, "value")),
}


def section_of(bands: list[BandScaling]) -> dict[str, Any]:
    """Keys of ``model.input``; a number stands for all bands where they are alike."""
    if any(band.clips for band in bands):
        return _clipping(bands)
    starts, widths = [band.start for band in bands], [band.width for band in bands]
    if {band.name for band in bands} <= {"none", "min-max", "scale"}:
        scale = _short([1 / width for width in widths])
        offset = _short([-start / width + 0.0 for start, width in zip(starts, widths, strict=True)])
        return _given({"scale": (scale, 1.0), "offset": (offset, 0.0)})
    return _given({"mean": (_short(starts), 0.0), "std": (_short(widths), 1.0)})


def _clipping(bands: list[BandScaling]) -> dict[str, Any]:
    """Clipped between two ends, and stretched back to where it was."""
    if not all(band.clips for band in bands):
        raise StepError("value_scaling clips some bands and not others")
    lows = _short([band.start for band in bands])
    highs = _short([band.start + band.width for band in bands])
    if any(band.start > 0 or band.start + band.width < 0 for band in bands):
        raise StepError(f"value_scaling clips to {lows}…{highs}, and here a clipped range has 0 in it")
    normalise = {"method": "fixed", "low": lows, "high": highs, "clip": True}
    back = {
        "mean": (_short([-band.start / band.width + 0.0 for band in bands]), 0.0),
        "std": (_short([1 / band.width for band in bands]), 1.0),
    }
    return {"normalise": normalise, **_given(back)}


def _short(numbers: BandValues) -> float | BandValues:
    return numbers[0] if len(set(numbers)) == 1 else numbers


def _given(values: dict[str, tuple[float | BandValues, float]]) -> dict[str, Any]:
    """Without what does nothing."""
    return {name: value for name, (value, neutral) in values.items() if value != neutral}
