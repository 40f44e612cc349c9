"""Whether a network, its normalisation and a raster are plausible together: seen on a small sample of the raster and on as much noise.

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
from pipeline.inference.decode import Decoding, codes, indices
from pipeline.inference.normalise import Normalisation
from pipeline.inspect.halo.on_raster import Sight
from pipeline.inspect.halo.raster_windows import Place, places
from pipeline.interfaces import Locality
from pipeline.runtime.device import out_of_memory

SIDE = 128
"""Side of the sample, px, where the network takes it."""
TRIES, PATIENCE = 6, 12
"""Windows that are read for the sample; and where none of these holds a valid pixel."""
ROUNDING = 1e-6
"""Of the largest logit: what is farther apart is another answer."""
USUAL = 3.0
"""Standard deviations from 0 within which the medians of a training lie."""
NARROW = 0.01
"""Standard deviations that the values of a raster differ by at the least, where they were divided by some."""
UNIT = 1.5
"""Means and deviations up to this are of values between 0 and 1."""
UNFIT = "The normalisation does not fit this raster: set model.input.scale, offset, mean and std for values as the raster has them"
LISTED = 3
"""Bands that are told one by one."""

Codes = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a network is tried on."""

    image: torch.Tensor
    """(1, bands, side, side), normalised."""
    counts: torch.Tensor
    """(side, side) bool: valid pixels that are asked for."""


def warnings(sight: Sight, decoding: Decoding, names: Mapping[int, str]) -> Iterator[str]:
    """What does not look right, a sentence each; nothing where no valid pixel was read.

    Parameters
    ----------
    sight
        A network before a raster.
    decoding
        What its channels mean.
    names
        Of the classes, by code.
    """
    sample = _sample(sight)
    if sample is None:
        return
    yield from _unfit(sample, sight.normalisation, sight.source.dtype)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(sample.image.shape, generator=generator).to(sight.device)
    try:
        with torch.inference_mode():
            answers = [sight.network(image)[0] for image in (noise, sample.image)]
    except Exception as error:  # whatever its layers raise
        yield _raised(error, sample)
        return
    yield from _alike(answers, _inside(sight.locality, sample), decoding, names)


def _sample(sight: Sight) -> Sample | None:
    """Four windows side by side, repeated where fewer hold a valid pixel."""
    side = _side(sight)
    half = -(-side // 2)
    samples = places(
        sight.source, sight.normalisation, sight.device, side=half, multiple=1, count=4, seed=0, area=sight.area, tries=TRIES, patience=PATIENCE,
    )  # fmt: skip
    if not samples:
        return None
    four = [samples[k % len(samples)] for k in range(4)]
    counts = np.block([[four[0][1], four[1][1]], [four[2][1], four[3][1]]])[:side, :side]
    return Sample(image=_together(four)[..., :side, :side].contiguous(), counts=torch.from_numpy(counts).to(sight.device))


def _together(four: Sequence[Place]) -> torch.Tensor:
    rows = [torch.cat([left[0], right[0]], 3) for left, right in (four[:2], four[2:])]
    return torch.cat(rows, 2)


def _side(sight: Sight) -> int:
    """Side of the sample, px: as near to `SIDE` as the network and the memory allow."""
    accepts, margin = sight.network.accepts, sight.locality.margin
    wanted = SIDE + (2 * margin.largest if margin else 0)
    least = round_up(max(sight.locality.minimum, accepts.minimum, sight.multiple), sight.multiple)
    most = round_down(min(sight.room, accepts.maximum or sight.room), sight.multiple)
    return max(min(round_up(wanted, sight.multiple), most), least)


def _inside(locality: Locality, sample: Sample) -> torch.Tensor:
    """(side, side) bool: pixels that count and that an unpadded network returns."""
    if locality.margin is None:
        return sample.counts
    side = len(sample.counts)
    inside = locality.margin.inside(Window(row=0, col=0, height=side, width=side), side, side)
    return sample.counts & torch.from_numpy(inside).to(sample.counts.device)


def _unfit(sample: Sample, how: Normalisation, dtype: np.dtype[np.generic]) -> Iterator[str]:
    """Whether the normalised values lie, and differ, as those of a training do."""
    values = sample.image[0][:, sample.counts]
    medians = dict(enumerate(values.median(1).values.tolist()))
    far = {band: median for band, median in medians.items() if abs(median) > USUAL}
    if far:
        raw = {band: (median * how.std[band] + how.mean[band] - how.offset[band]) / (how.scale[band] or 1.0) for band, median in far.items()}
        yield f"after model.input the raster's values have a median of {_told(far)}, beyond {USUAL:g} standard deviations. {_advice(how, raw, dtype)}"
        return
    spreads = dict(enumerate(values.std(1, correction=0).tolist()))
    narrow = {band: spread for band, spread in spreads.items() if 0 < spread < NARROW and how.std[band] != 1}
    if narrow:
        yield f"after model.input the raster's values deviate by {_told(narrow)} only, so that the network hardly tells them apart. {UNFIT}"


def _told(values: Mapping[int, float]) -> str:
    """Numbers of the first bands."""
    words = ", ".join(f"{_short(value)} in band {band + 1}" for band, value in list(values.items())[:LISTED])
    return words + (f" and {len(values) - LISTED} bands more" if len(values) > LISTED else "")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _advice(how: Normalisation, raw: Mapping[int, float], dtype: np.dtype[np.generic]) -> str:
    """What to change of a normalisation by which values come to lie far from 0."""
    if how.transform is not None:
        return "Set model.input.mean and std for values as model.input.transform returns them"
    if how == Normalisation(scale=(1.0,) * len(how.std), offset=(0.0,) * len(how.std), mean=(0.0,) * len(how.std), std=(1.0,) * len(how.std)):
        return "They reach the network as they are in the file: set model.input to the scale, mean and std of its training, unless it normalises by itself"
    small = all(abs(value) <= UNIT for band in raw for value in (how.mean[band], how.std[band]))
    if small and all(how.scale[band] == 1 and abs(value) > UNIT for band, value in raw.items()):
        scale = f"{1 / 255:.4g} for values of 8 bits" if dtype == np.uint8 else "1.0e-4 for reflectances times 10,000"
        return f"Mean and std are of values between 0 and 1, and the raster's are larger: set model.input.scale too, such as {scale}"
    return UNFIT


def _alike(answers: Sequence[torch.Tensor], inside: torch.Tensor, decoding: Decoding, names: Mapping[int, str]) -> Iterator[str]:
    """Whether the answers to noise and to the sample differ at all, and hold more than one class each."""
    noise, sample = (answer[:, inside] for answer in answers)
    if not noise.numel():
        return
    if bool(((noise - sample).abs() <= ROUNDING * noise.abs().max()).all()):
        yield (
            f"the network returns the same for noise as for {_pixels(inside)}: its answer does not depend on the image. Check that model.path has the trained "
            "weights, and that model.output.key names the scores"
        )
        return
    classes = [_classes(answer, inside, decoding) for answer in answers]
    if all(len(several) == 1 for several in classes):
        labels = [names.get(code, str(code)) for (code,) in classes]
        both = f"noise and {_pixels(inside)} get class {labels[0]} alone"
        words = both if labels[0] == labels[1] else f"noise gets class {labels[0]} alone, and {_pixels(inside)} get class {labels[1]} alone"
        yield f"{words}. Check model.input, the order of source.bands and model.output's threshold against the network's training"


def _classes(answer: torch.Tensor, inside: torch.Tensor, decoding: Decoding) -> Codes:
    return frozenset(codes(indices(answer, decoding), decoding)[inside].unique().tolist())


def _pixels(inside: torch.Tensor) -> str:
    return f"{int(inside.sum()):,} px of the raster"


def _raised(error: Exception, sample: Sample) -> str:
    if out_of_memory(error):
        return f"{sample.image.device} has no memory to try the network on {_pixels(sample.counts)}, so that nothing is known of its answer"
    why = (str(error).strip().splitlines() or [""])[-1][:200]
    return (
        f"the network fails on {_pixels(sample.counts)}: {type(error).__name__}: {why}. Blocks will fail alike: check model.input, and what the network takes"
    )
