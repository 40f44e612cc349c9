"""Numbers of one grid on another grid that is parallel to it, axis by axis.

A pixel of the target depends on its place in the whole grid alone, never on the window that is read. So windows equal
the whole, to the bit::

    source   |   0   |   1   |   2   |      3 px of 20 m
    target   | 0 | 1 | 2 | 3 | 4 | 5 |      6 px of 10 m: start 0, step 1/2
                   ^ centre at 0.75: bilinear takes 3/4 of pixel 0 and 1/4 of pixel 1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span

Method = Literal["nearest", "bilinear", "cubic", "lanczos", "average"]
_Floats = npt.NDArray[np.float64]
DIGITS = 9
"""Decimals of a place, px: what rounding leaves behind them must not choose a neighbour."""
NEGLIGIBLE = 1e-9
"""Weights below it are 0."""
STRIP = 128
"""Rows that are computed at once, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class Taps:
    """Pixels of the source that pixels of the target are sums of, along one axis."""

    indices: npt.NDArray[np.int64]
    """(taps, pixels): places in the source, px; inside it."""
    weights: _Floats
    """(taps, pixels): their shares, which add up to 1; 0 where a tap lies outside the source."""

    @property
    def span(self) -> Span:
        """All pixels of the source that are read."""
        return Span(int(self.indices.min()), int(self.indices.max()) + 1)

    def part(self, start: int, stop: int) -> Taps:
        """The taps of some of the pixels."""
        return Taps(self.indices[:, start:stop], self.weights[:, start:stop])


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a source, laid on that of a target."""

    length: int
    """Of the source, px."""
    start: float
    """Place of the target's first edge in the source, px."""
    step: float
    """Length of a pixel of the target in the source, px."""

    def same(self, length: int) -> bool:
        """Whether a target of so many px has the source's own pixels."""
        return self.length == length and abs(self.start) < 1e-3 and abs(self.step - 1) * length < 1e-3

    def centres(self, span: Span) -> _Floats:
        """(pixels,) places of the centres of the target's pixels in the source, px from its edge."""
        places: _Floats = np.round(self.start + (np.arange(span.start, span.stop) + 0.5) * self.step, DIGITS)
        return places

    def inside(self, span: Span) -> npt.NDArray[np.bool_]:
        """(pixels,) whether a pixel's centre lies in the source."""
        centres = self.centres(span)
        return np.asarray((centres >= 0) & (centres < self.length))

    def taps(self, span: Span, method: Method) -> Taps:
        """What the pixels of a span of the target are made of.

        Parameters
        ----------
        span
            Pixels of the target.
        method
            Where the target is coarser, kernels are widened by its step, as GDAL widens them.
        """
        centres = self.centres(span)
        if method == "nearest":
            first, weights = np.floor(centres)[np.newaxis].astype(np.int64), np.ones((1, span.size))
        elif method == "average":
            first, weights = _overlaps(centres, self.step)
        else:
            first, weights = _kernel_taps(centres, max(self.step, 1.0), *KERNELS[method])
        return self._within(first, weights)

    def _within(self, indices: npt.NDArray[np.int64], weights: _Floats) -> Taps:
        """Taps without those outside the source, and without those that count for nothing."""
        outside = (indices < 0) | (indices >= self.length)
        weights = np.where(outside | (np.abs(weights) < NEGLIGIBLE), 0.0, weights)
        total = weights.sum(0)
        return Taps(np.clip(indices, 0, self.length - 1), weights / np.where(total == 0, 1.0, total))


def _overlaps(centres: _Floats, step: float) -> tuple[npt.NDArray[np.int64], _Floats]:
    """Lengths that pixels of the target share with those of the source."""
    low, high = centres - step / 2, centres + step / 2
    indices = np.floor(low).astype(np.int64) + np.arange(int(np.ceil(step)) + 1)[:, np.newaxis]
    return indices, np.clip(np.minimum(indices + 1, high) - np.maximum(indices, low), 0, None)


def _kernel_taps(
    centres: _Floats, scale: float, radius: int, kernel: Callable[[_Floats], _Floats]
) -> tuple[npt.NDArray[np.int64], _Floats]:
    reach = radius * scale
    indices = np.ceil(centres - reach - 0.5).astype(np.int64) + np.arange(int(np.ceil(2 * reach)) + 1)[:, np.newaxis]
    return indices, kernel(np.abs(indices + 0.5 - centres) / scale)


def _triangle(distance: _Floats) -> _Floats:
    return np.clip(1 - distance, 0, None)


def _cubic(distance: _Floats) -> _Floats:
    """Catmull-Rom's spline, a = -0.5 (Keys 1981, IEEE TASSP 29(6))."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _lanczos(distance: _Floats) -> _Floats:
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)


KERNELS: dict[str, tuple[int, Callable[[_Floats], _Floats]]] = {
    "bilinear": (1, _triangle),
    "cubic": (2, _cubic),
    "lanczos": (3, _lanczos),
}
"""Radius, px of the coarser grid, and weight by distance."""


def resampled(values: npt.NDArray[Any], rows: Taps, cols: Taps) -> npt.NDArray[Any]:
    """(rows, cols) of the target, in the dtype of the source: integers are rounded, and kept within their range.

    Parameters
    ----------
    values
        (rows, cols) of the source: the product of the spans of both taps.
    rows, cols
        What the target's rows and columns are made of.
    """
    down, across = rows.indices - rows.span.start, cols.indices - cols.span.start
    if len(down) == len(across) == 1:
        return np.ascontiguousarray(values[np.ix_(down[0], across[0])])
    out = np.empty((down.shape[1], across.shape[1]), values.dtype)
    for start in range(0, len(out), STRIP):
        part = slice(start, start + STRIP)
        lines = _sum(values, down[:, part], rows.weights[:, part, np.newaxis], 0)
        out[part] = _cast(_sum(lines, across, cols.weights, 1), values.dtype)
    return out


def widened(codes: npt.NDArray[np.uint8], rows: Taps, cols: Taps) -> npt.NDArray[np.uint8]:
    """(rows, cols) of the target: the largest code of the pixels that a pixel is made of.

    Parameters
    ----------
    codes
        (rows, cols) uint8 of the source, as for `resampled`.
    rows, cols
        What the target's rows and columns are made of.
    """
    lines = _largest(codes, rows.indices - rows.span.start, rows.weights[:, :, np.newaxis] != 0, 0)
    return _largest(lines, cols.indices - cols.span.start, cols.weights != 0, 1)


def _sum(values: npt.NDArray[Any], indices: npt.NDArray[np.int64], weights: _Floats, axis: int) -> _Floats:
    """One term after the other, so that the order of the sum is the same in every window."""
    total: _Floats = np.take(values, indices[0], axis) * weights[0]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        total += np.take(values, index, axis) * weight
    return total


def _largest(
    codes: npt.NDArray[np.uint8], indices: npt.NDArray[np.int64], counts: npt.NDArray[np.bool_], axis: int
) -> npt.NDArray[np.uint8]:
    out: npt.NDArray[np.uint8] = np.take(codes, indices[0], axis) * counts[0]
    for index, count in zip(indices[1:], counts[1:], strict=True):
        np.maximum(out, np.take(codes, index, axis) * count, out=out)
    return out


def _cast(numbers: _Floats, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind == "f":
        return numbers.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.floor(numbers + 0.5), limits.min, limits.max).astype(dtype)
