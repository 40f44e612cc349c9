"""Numbers as colours: the first channels stretched between their percentiles, as grey or as red, green and blue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.store.picture import percentile_range
from pipeline.store.picture_spec import COLOUR_RANGE
from pipeline.store.values import ValuesSpec

MAX_CHANNELS = 3
"""Channels that a picture shows: one as grey, three as red, green and blue."""
_RGB = ((220, 60, 60), (60, 170, 60), (70, 90, 220))
_GREY = (128, 128, 128)

Entry = tuple[str, tuple[int, int, int]]
"""A line of a legend: its text and the colour of its swatch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretched:
    """A picture of numbers."""

    colors: npt.NDArray[np.uint8]
    """(rows, cols, 3); anything where nothing is known."""
    valid: npt.NDArray[np.bool_]
    """(rows, cols)."""
    legend: list[Entry]
    """Names of the channels, with the numbers between which each is stretched."""


def stretch(stored: npt.NDArray[np.generic], values: ValuesSpec, as_seen: bool = False) -> Stretched:
    """A picture of the first channels.

    Parameters
    ----------
    stored
        (channels, rows, cols) as stored; of one or two channels the first is drawn as grey, of more the first three.
    values
        What they stand for.
    as_seen
        Whether they are colours from 0 to 255, which are shown as they are.
    """
    shown = stored if len(stored) == MAX_CHANNELS else stored[:1]
    planes = [values.numbers(plane, k) for k, plane in enumerate(shown)]
    valid = values.valid(stored[0])
    ranges = [COLOUR_RANGE if as_seen else percentile_range(plane[valid]) for plane in planes]
    bytes_ = [_bytes(plane, low, high) for plane, (low, high) in zip(planes, ranges, strict=True)]
    swatches = _RGB if len(planes) == MAX_CHANNELS else (_GREY,)
    return Stretched(
        colors=np.stack(bytes_ * (MAX_CHANNELS // len(bytes_)), axis=-1),
        valid=valid,
        legend=[
            (f"{name}: {low:.4g} to {high:.4g}", color)
            for name, (low, high), color in zip(values.channels, ranges, swatches, strict=False)
        ],
    )


def _bytes(plane: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    """(rows, cols) from 0 at the low end to 255 at the high one; a channel of one number is grey."""
    share = (plane - low) / (high - low) if high > low else np.full(plane.shape, 0.5)
    return np.asarray(np.nan_to_num(share).clip(0, 1) * 255).round().astype(np.uint8)
