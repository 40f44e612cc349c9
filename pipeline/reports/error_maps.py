"""Maps of what a layer has right and wrong, beside its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.quality.evaluate.samples import PairSamples
from pipeline.reports.pictures import PagePicture, map_picture
from pipeline.store.picture import percentile_range
from pipeline.store.spec import ClassRow

RIGHT = (170, 170, 170, 255)
"""What is right, on a map of errors: neither as pale nor as dark as classes may be."""
UNPREDICTED = (0, 0, 0, 255)
"""A labelled pixel that got no class."""
NO_LABEL = (0, 0, 0, 0)
"""What has no label."""
RAMP_STEPS = 101
"""Steps of a map of numbers."""
TOO_LOW, ZERO, TOO_HIGH = (5, 90, 170), (245, 245, 245), (178, 24, 43)
"""Ends and middle of a map of differences."""

_Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMap:
    """A map with what is written below it."""

    title: str
    caption: str
    picture: PagePicture


def class_maps(samples: PairSamples, classes: Sequence[ClassRow], layer: str) -> list[PageMap]:
    """Labels, layer, missed and false pixels, each in the colours of classes.

    Parameters
    ----------
    samples
        Indexes of the classes.
    classes
        Those that are judged.
    layer
        Name of the layer.
    """
    none = len(classes)
    right, unpredicted, nothing = none, none + 1, none + 2
    colors = np.array([*((*row.rgb, 255) for row in classes), RIGHT, UNPREDICTED, NO_LABEL], np.uint8)
    label, mask = samples.label, samples.layer
    labelled = label < none
    shown = np.where(mask < none, mask, unpredicted)
    maps = (
        ("labels", "as they are read", np.where(labelled, label, nothing)),
        (layer, "where labels are", np.where(labelled, shown, nothing)),
        ("missed", "wrong pixels in the colour of their label", _errors(label, mask, label, right, nothing)),
        ("false", "the same in the colour of what they were taken for", _errors(label, mask, shown, right, nothing)),
    )
    return [
        PageMap(title=title, caption=caption, picture=map_picture(indexes, colors)) for title, caption, indexes in maps
    ]


def number_maps(samples: PairSamples, channel: str) -> list[PageMap]:
    """Labels, numbers and differences of a channel."""
    label, numbers = samples.label, samples.layer
    low, high = percentile_range(label[~np.isnan(label)])
    error = numbers - label
    widest = float(max(map(abs, percentile_range(error[~np.isnan(error)]))))
    grey, spread = f"{low:.4g} black to {high:.4g} white", f"{-widest:.3g} blue to {widest:.3g} red"
    return [
        PageMap(
            title=f"{channel}, labels",
            caption=grey.replace("-", "−"),
            picture=_numbers(label, low, high, _ramp((0,) * 3, (255,) * 3)),
        ),
        PageMap(
            title=f"{channel}, values",
            caption="the same, where labels are",
            picture=_numbers(np.where(np.isnan(label), np.nan, numbers), low, high, _ramp((0,) * 3, (255,) * 3)),
        ),
        PageMap(
            title=f"{channel}, difference",
            caption=f"values less labels: {spread}".replace("-", "−"),
            picture=_numbers(error, -widest, widest, _ramp(TOO_LOW, ZERO, TOO_HIGH)),
        ),
    ]


def _errors(label: _Codes, mask: _Codes, shown: _Codes, right: int, nothing: int) -> _Codes:
    wrong = np.where(label == mask, right, shown)
    return np.where(label < right, wrong, nothing).astype(np.uint16)


def _ramp(*stops: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """(RAMP_STEPS + 1, 4) colours from the first to the last, and one for nothing."""
    places = np.linspace(0, len(stops) - 1, RAMP_STEPS)
    planes = [np.interp(places, range(len(stops)), plane) for plane in zip(*stops, strict=True)]
    colors = np.stack([*planes, np.full(RAMP_STEPS, 255.0)], axis=-1).round()
    return np.concatenate([colors, [NO_LABEL]]).astype(np.uint8)


def _numbers(numbers: npt.NDArray[np.float64], low: float, high: float, colors: npt.NDArray[np.uint8]) -> PagePicture:
    share = (numbers - low) / (high - low) if high > low else np.where(np.isnan(numbers), np.nan, 0.5)
    steps = np.nan_to_num(share).clip(0, 1) * (RAMP_STEPS - 1)
    return map_picture(np.where(np.isnan(share), RAMP_STEPS, steps.round()).astype(np.uint16), colors)
