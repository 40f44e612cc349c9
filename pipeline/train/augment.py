"""How a window differs from what the scene shows: turned, mirrored, rotated, zoomed, brighter, noisier.

Its label with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, radians, sin
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from pipeline.config import AugmentConfig
from pipeline.interfaces import Pixels

PER_BAND = 0.3
"""Share of the gain that each band has of its own."""
POSITION_DIGITS = 6
"""Positions are rounded to so many digits of a px: what is meant to fall on a pixel does, and asks none of its
neighbours."""

Offset = TypeVar("Offset", float, npt.NDArray[np.float64])
Positions = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to one window. First it is rotated and zoomed about its centre, then turned, then mirrored."""

    turns: int
    """Quarter turns, in the sense of ``np.rot90``."""
    mirrored: bool
    """Left becomes right."""
    angle: float
    """Radians, in the same sense."""
    factor: float
    """Above 1, things look larger."""
    gains: tuple[float, ...]
    """What the raw values of each band are multiplied by."""
    seed: int
    """Of the noise."""

    @property
    def resamples(self) -> bool:
        """Whether pixels fall between pixels."""
        return self.angle != 0 or self.factor != 1


def draw_augmentation(config: AugmentConfig, bands: int, rng: np.random.Generator) -> Augmentation:
    """Draw one window's change.

    All is drawn always, in one order: what is switched off leaves the rest of the draws as they are.

    Parameters
    ----------
    config
        What may change, and how much: angles are even within ± ``rotate``, factors between 1/(1 + zoom) and 1 + zoom by
        their logarithm, gains are (1 ± gain) for the window times (1 ± 0.3·gain) for each band.
    bands
        Of the window.
    rng
        Moved on by as much whatever ``config`` says.
    """
    turns, mirrored, seed = int(rng.integers(4)), bool(rng.integers(2)), int(rng.integers(2**63))
    angle, zoom, gain, *band_gains = rng.uniform(-1, 1, 3 + bands).tolist()
    return Augmentation(
        turns=turns if config.turn else 0,
        mirrored=mirrored and config.flip,
        angle=radians(config.rotate) * angle,
        factor=(1 + config.zoom) ** zoom,
        gains=tuple((1 + config.gain * gain) * (1 + PER_BAND * config.gain * band_gain) for band_gain in band_gains),
        seed=seed,
    )


def reach(change: Augmentation, side: int) -> int:
    r"""Side of the square that must be read to fill a window, px.

    Both have one centre, so the square is odd where the window is. The window, rotated by ``angle`` and shrunk by
    ``factor``, lies within it, and so does all that its pixels are interpolated from::

        +-----/\------+
        |   /    \    |
        | /        \  |
        |\         /  |
        |  \     /    |
        +----\ /------+
        |<-- reach -->|

    Returns
    -------
    int
        ``side`` where nothing is resampled; less where the window is zoomed into.
    """
    across = (side - 1) * (abs(cos(change.angle)) + abs(sin(change.angle))) / change.factor
    minimum = ceil(round(across, POSITION_DIGITS)) + 1
    return minimum + (side - minimum) % 2


def to_source(change: Augmentation, down: Offset, right: Offset) -> tuple[Offset, Offset]:
    """From an offset from the window's middle before turns, (rows, cols) px, to that from the source's middle."""
    cosine, sine = cos(change.angle) / change.factor, sin(change.angle) / change.factor
    return cosine * down + sine * right, cosine * right - sine * down


def apply(
    pixels: Pixels, label: npt.NDArray[Any], change: Augmentation, side: int, ignore: int
) -> tuple[Pixels, npt.NDArray[Any]]:
    """Change an image and its label in step.

    Parameters
    ----------
    pixels
        Square, of side ``reach(change, side)``, raw.
    label
        (rows, cols) integers on the same pixels.
    change
        As drawn. Its noise is not added here: see ``noisy``.
    side
        Of what is returned, px.
    ignore
        Label of what is invalid.

    Returns
    -------
    Pixels
        (bands, side, side). Where nothing is resampled, the file's own values times the gains, float32, or as they are,
        of the file's dtype, where all gains are 1; else bilinear between the pixel's four neighbours, float32, and
        invalid if any of them is. Where values are computed, they are 0 where invalid.
    npt.NDArray
        (side, side), the label's dtype: the nearest pixel's.
    """
    assert label.shape == pixels.valid.shape == (reach(change, side),) * 2, "a window of another side than reach says"
    if change.resamples:
        where = _positions(change, label.shape[0], side)
        pixels, label = _between(pixels, where), _nearest(label, where)
    data, valid, label = (_turn(array, change) for array in (pixels.data, pixels.valid, label))
    return Pixels(data=_brighten(data, valid, change.gains), valid=valid), np.where(
        valid, label, label.dtype.type(ignore)
    )


def noisy(x: torch.Tensor, valid: npt.NDArray[np.bool_], sigma: float, rng: np.random.Generator) -> torch.Tensor:
    """Add normal noise to normalised values.

    Parameters
    ----------
    x
        (…, bands, rows, cols) float32. It is not changed.
    valid
        (rows, cols). Elsewhere x stays what it is, which is 0.
    sigma
        Standard deviation, in normalised units.
    rng
        Best one of its own, ``np.random.default_rng(change.seed)``: without sigma nothing is drawn.
    """
    if sigma == 0:
        return x
    noise = torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32)) * sigma
    return torch.where(torch.from_numpy(np.ascontiguousarray(valid)).to(x.device), x + noise.to(x.device), x)


def _positions(change: Augmentation, source: int, side: int) -> Positions:
    """(side, side) rows and cols, px, in a square with the same centre: where each pixel of the window comes from."""
    rows, cols = to_source(change, *np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij"))
    inside = [np.clip(np.round(offset + (source - 1) / 2, POSITION_DIGITS), 0, source - 1) for offset in (rows, cols)]
    return inside[0], inside[1]


def _between(pixels: Pixels, where: Positions) -> Pixels:
    """Bilinear. Where a position falls on a pixel's row, its floor and ceiling are one, and the next row has no say."""
    (top, bottom, row_share), (left, right, col_share) = (_neighbours(position) for position in where)
    data = np.where(pixels.valid, pixels.data, 0).astype(np.float32)
    upper = _mix(data[:, top, left], data[:, top, right], col_share)
    lower = _mix(data[:, bottom, left], data[:, bottom, right], col_share)
    valid = (
        pixels.valid[top, left] & pixels.valid[top, right] & pixels.valid[bottom, left] & pixels.valid[bottom, right]
    )
    return Pixels(data=np.where(valid, _mix(upper, lower, row_share), np.float32(0)), valid=valid)


def _neighbours(
    position: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """The pixels before and after, and how far between them."""
    floor = np.floor(position)
    return floor.astype(np.intp), np.ceil(position).astype(np.intp), (position - floor).astype(np.float32)


def _mix(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """A constant stays what it is, to the bit."""
    return first + (second - first) * share


def _nearest(label: npt.NDArray[Any], where: Positions) -> npt.NDArray[Any]:
    rows, cols = (np.floor(position + 0.5).astype(np.intp) for position in where)
    return label[rows, cols]


def _turn(array: npt.NDArray[Any], change: Augmentation) -> npt.NDArray[Any]:
    turned = np.rot90(array, change.turns, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if change.mirrored else turned)


def _brighten(data: npt.NDArray[Any], valid: npt.NDArray[np.bool_], gains: tuple[float, ...]) -> npt.NDArray[Any]:
    if all(gain == 1 for gain in gains):
        return data
    return np.where(valid, data, 0).astype(np.float32) * np.array(gains, dtype=np.float32)[:, None, None]
