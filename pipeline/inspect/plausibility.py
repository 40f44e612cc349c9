"""Whether a network, its normalisation and a raster are plausible together.

Seen on a small sample of the raster and on as much noise.

The sample is one image of four windows, so that few pixels of one place do not stand for all::

    |place 1|place 2|
    |place 3|place 4|
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.geometry.span import round_down, round_up
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.decode import class_indices, codes
from pipeline.inference.normalise import Normalisation
from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.inspect.halo.raster_windows import ProbeWindow, probe_windows
from pipeline.inspect.momentary_warning import MomentaryWarning
from pipeline.interfaces import Locality
from pipeline.runtime.device import out_of_memory

SAMPLE_SIDE = 128
"""Side of the sample, px, where the network takes it."""
_TRIES, _PATIENCE = 6, 12
"""Windows that are read for the sample; and where none of these holds a valid pixel."""
_ROUNDING = 1e-6
"""Of the largest logit: what is farther apart is another answer."""
USUAL = 3.0
"""Standard deviations from 0 within which the medians of a training lie."""
_NARROW = 0.01
"""Standard deviations that the values of a raster differ by at the least, where they were divided by some."""
UNIT = 1.5
"""Means and deviations up to this are of values between 0 and 1."""
UNFIT = (
    "The normalisation does not fit this raster: set model.input.scale, offset, mean and std for values "
    "as the raster has them"
)
_LISTED = 3
"""Bands that are told one by one."""

CodeSet = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialImage:
    """What a network is tried on."""

    image: torch.Tensor
    """(1, bands, side, side), normalised."""
    counts: torch.Tensor
    """(side, side) bool: valid pixels that are asked for."""


def plausibility_warnings(
    on_raster: NetworkOnRaster, decoding: ClassDecoding | None, names: Mapping[int, str]
) -> Iterator[str]:
    """What does not look right, a sentence each; nothing where no valid pixel was read.

    Parameters
    ----------
    on_raster
        A network before a raster.
    decoding
        What its channels mean; None where they mean no classes.
    names
        Of the classes, by code.
    """
    sample = trial_image(on_raster)
    if sample is None:
        return
    yield from _normalisation_warnings(sample, on_raster.normalisation, on_raster.source.dtype)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(sample.image.shape, generator=generator).to(on_raster.device)
    try:
        with torch.inference_mode():
            answers = [on_raster.network(image)[0] for image in (noise, sample.image)]
    except Exception as error:  # whatever its layers raise
        yield _failure_warning(error, sample)
        return
    yield from _answer_warnings(answers, _inside(on_raster.locality, sample), decoding, names)


def trial_image(on_raster: NetworkOnRaster) -> TrialImage | None:
    """Four windows side by side, repeated where fewer hold a valid pixel."""
    side = _side(on_raster)
    half = -(-side // 2)
    samples = probe_windows(
        on_raster.source,
        on_raster.normalisation,
        on_raster.device,
        side=half,
        multiple=1,
        count=4,
        seed=0,
        area=on_raster.area,
        tries=_TRIES,
        patience=_PATIENCE,
    )
    if not samples:
        return None
    four = [samples[k % len(samples)] for k in range(4)]
    counts = np.block([[four[0][1], four[1][1]], [four[2][1], four[3][1]]])[:side, :side]
    return TrialImage(
        image=_mosaic(four)[..., :side, :side].contiguous(), counts=torch.from_numpy(counts).to(on_raster.device)
    )


def _mosaic(four: Sequence[ProbeWindow]) -> torch.Tensor:
    rows = [torch.cat([left[0], right[0]], 3) for left, right in (four[:2], four[2:])]
    return torch.cat(rows, 2)


def _side(on_raster: NetworkOnRaster) -> int:
    """Side of the sample, px: as near to `SAMPLE_SIDE` as the network and the memory allow."""
    accepts, margin = on_raster.network.accepts, on_raster.locality.margin
    requested = SAMPLE_SIDE + (2 * margin.largest if margin else 0)
    minimum = round_up(max(on_raster.locality.minimum, accepts.minimum, on_raster.multiple), on_raster.multiple)
    maximum = round_down(min(on_raster.room, accepts.maximum or on_raster.room), on_raster.multiple)
    return max(min(round_up(requested, on_raster.multiple), maximum), minimum)


def _inside(locality: Locality, sample: TrialImage) -> torch.Tensor:
    """(side, side) bool: pixels that count and that an unpadded network returns."""
    if locality.margin is None:
        return sample.counts
    side = len(sample.counts)
    inside = locality.margin.inside(Window(row=0, col=0, height=side, width=side), side, side)
    return sample.counts & torch.from_numpy(inside).to(sample.counts.device)


def median_warning(sample: TrialImage, normalisation: Normalisation, dtype: np.dtype[np.generic]) -> str | None:
    """Whether the normalised values lie where those of a training do; None where they may."""
    values = sample.image[0][:, sample.counts]
    medians = dict(enumerate(values.median(1).values.tolist()))
    far = {band: median for band, median in medians.items() if abs(median) > USUAL}
    if far:
        raw = {
            band: (median * normalisation.std[band] + normalisation.mean[band] - normalisation.offset[band])
            / (normalisation.scale[band] or 1.0)
            for band, median in far.items()
        }
        return (
            f"after model.input the raster's values have a median of {_band_values(far)}, beyond {USUAL:g} "
            f"standard deviations. "
            f"{_advice(normalisation, raw, dtype)}"
        )
    return None


def _normalisation_warnings(
    sample: TrialImage, normalisation: Normalisation, dtype: np.dtype[np.generic]
) -> Iterator[str]:
    """Whether the normalised values lie, and differ, as those of a training do."""
    far = median_warning(sample, normalisation, dtype)
    if far is not None:
        yield far
        return
    values = sample.image[0][:, sample.counts]
    spreads = dict(enumerate(values.std(1, correction=0).tolist()))
    narrow = {band: spread for band, spread in spreads.items() if 0 < spread < _NARROW and normalisation.std[band] != 1}
    if narrow:
        yield (
            f"after model.input the raster's values deviate by {_band_values(narrow)} only, so that the "
            f"network hardly tells them apart. {UNFIT}"
        )


def _band_values(values: Mapping[int, float]) -> str:
    """Numbers of the first bands."""
    text = ", ".join(f"{_short(value)} in band {band + 1}" for band, value in list(values.items())[:_LISTED])
    return text + (f" and {len(values) - _LISTED} bands more" if len(values) > _LISTED else "")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _advice(normalisation: Normalisation, raw: Mapping[int, float], dtype: np.dtype[np.generic]) -> str:
    """What to change of a normalisation by which values come to lie far from 0."""
    if normalisation.stretch is not None:
        return "Check model.input.normalise, and mean and std beside it, against the network's training"
    if normalisation.transform is not None:
        return "Set model.input.mean and std for values as model.input.transform returns them"
    if normalisation == Normalisation(
        scale=(1.0,) * len(normalisation.std),
        offset=(0.0,) * len(normalisation.std),
        mean=(0.0,) * len(normalisation.std),
        std=(1.0,) * len(normalisation.std),
    ):
        return (
            "They reach the network as they are in the file: set model.input to the scale, mean and std "
            "of its training, unless it normalises by itself"
        )
    small = all(abs(value) <= UNIT for band in raw for value in (normalisation.mean[band], normalisation.std[band]))
    if small and all(normalisation.scale[band] == 1 and abs(value) > UNIT for band, value in raw.items()):
        scale = f"{1 / 255:.4g} for values of 8 bits" if dtype == np.uint8 else "1.0e-4 for reflectances times 10,000"
        return (
            f"Mean and std are of values between 0 and 1, and the raster's are larger: set "
            f"model.input.scale too, such as {scale}"
        )
    return UNFIT


def _answer_warnings(
    answers: Sequence[torch.Tensor], inside: torch.Tensor, decoding: ClassDecoding | None, names: Mapping[int, str]
) -> Iterator[str]:
    """Whether the answers to noise and to the sample differ at all, and hold more than one class each."""
    noise, sample = (answer[:, inside] for answer in answers)
    if not noise.numel():
        return
    if bool(((noise - sample).abs() <= _ROUNDING * noise.abs().max()).all()):
        yield (
            f"the network returns the same for noise as for {_pixels(inside)}: its answer does not depend "
            f"on the image. Check that model.path has the trained "
            "weights, and that model.output.key names the scores"
        )
        return
    if decoding is None:
        return
    classes = [_classes(answer, inside, decoding) for answer in answers]
    if all(len(class_codes) == 1 for class_codes in classes):
        labels = [names.get(code, str(code)) for (code,) in classes]
        same_class = f"noise and {_pixels(inside)} get class {labels[0]} alone"
        text = (
            same_class
            if labels[0] == labels[1]
            else f"noise gets class {labels[0]} alone, and {_pixels(inside)} get class {labels[1]} alone"
        )
        yield (
            f"{text}. Check model.input, the order of source.bands and model.output's threshold against "
            f"the network's training"
        )


def _classes(answer: torch.Tensor, inside: torch.Tensor, decoding: ClassDecoding) -> CodeSet:
    return frozenset(codes(class_indices(answer, decoding), decoding)[inside].unique().tolist())


def _pixels(inside: torch.Tensor) -> str:
    return f"{int(inside.sum()):,} px of the raster"


def _failure_warning(error: Exception, sample: TrialImage) -> str:
    if out_of_memory(error):
        return MomentaryWarning(
            f"{sample.image.device} has no memory to try the network on {_pixels(sample.counts)}, so "
            f"that nothing is known of its answer"
        )
    reason = (str(error).strip().splitlines() or [""])[-1][:200]
    return (
        f"the network fails on {_pixels(sample.counts)}: {type(error).__name__}: {reason}. Blocks will fail "
        f"alike: check model.input, and what "
        f"the network takes"
    )
