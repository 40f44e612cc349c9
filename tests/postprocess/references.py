"""Each operation on a whole array in a few lines, after the words of its definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.geometry.window import Window
from pipeline.postprocess.steps import SizeStep, Step

Codes = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, kw_only=True)
class ArrayMask:
    """A mask in memory."""

    codes: Codes
    nodata: int

    @property
    def height(self) -> int:
        return self.codes.shape[0]

    @property
    def width(self) -> int:
        return self.codes.shape[1]

    def read(self, window: Window, /) -> Codes:
        assert window == window.clip(self.height, self.width)
        return self.codes[window.slices].copy()


def components(codes: Codes, nodata: int) -> list[npt.NDArray[np.bool_]]:
    """Each component as flags."""
    labelled = [ndimage.label(codes == code) for code in np.unique(codes[codes != nodata])]
    return [labels == number for labels, count in labelled for number in range(1, count + 1)]


def borders(codes: Codes, nodata: int, inside: npt.NDArray[np.bool_]) -> tuple[dict[int, list[int]], bool]:
    """Pixel edges shared with each component around, by class; and whether nodata or the raster's edge is touched."""
    wide, numbers = np.pad(codes, 1, constant_values=nodata), np.zeros(np.add(codes.shape, 2), dtype=int)
    for number, component in enumerate(components(codes, nodata), start=1):
        numbers[1:-1, 1:-1][component] = number
    around, inner = [], np.pad(inside, 1)
    for axis in (0, 1):
        for step in (1, -1):
            beyond = np.roll(inner, step, axis) & ~inner
            around += list(zip(wide[beyond].tolist(), numbers[beyond].tolist(), strict=True))
    edges: dict[tuple[int, int], int] = {}
    for key in around:
        edges[key] = edges.get(key, 0) + 1
    by_class: dict[int, list[int]] = {}
    for (code, _), count in edges.items():
        by_class.setdefault(code, []).append(count)
    touches = nodata in by_class
    return {code: counts for code, counts in by_class.items() if code != nodata}, touches


def whole(step: Step, codes: Codes, nodata: int, areas: npt.NDArray[np.float64]) -> Codes:
    """A step on the whole array."""
    return _by_size(step, codes, nodata, areas) if isinstance(step, SizeStep) else _by_window(step, codes, nodata)


def _by_size(step: SizeStep, codes: Codes, nodata: int, areas: npt.NDArray[np.float64]) -> Codes:
    result = codes.copy()
    for inside in components(codes, nodata):
        if (inside.sum() if step.unit == "px" else areas[inside].sum() * (1 + 1e-9)) >= step.size:
            continue
        if step.operation == "remove_small":
            result[inside] = step.background
            continue
        around, touches = borders(codes, nodata, inside)
        if step.operation == "sieve" and around:
            result[inside] = min(around, key=lambda code: (-max(around[code]), code))
        if step.operation == "fill_holes" and len(around) == 1 and not touches:
            result[inside] = next(iter(around))
    return result


def _windows(flags: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.int64]:
    """Pixels that are set in a square window around each pixel."""
    padded = np.pad(flags, side // 2)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, (side, side)).sum(axis=(2, 3)))


def _by_window(step: Step, codes: Codes, nodata: int) -> Codes:
    assert not isinstance(step, SizeStep)
    side = 2 * step.radius + 1
    square = np.ones((side, side), dtype=bool)
    if step.operation == "majority":
        classes = np.unique(codes)
        counts = np.stack([_windows((codes == code) & (codes != nodata), side) for code in classes])
        winner, is_tied = classes[counts.argmax(axis=0)], (counts == counts.max(axis=0)).sum(axis=0) > 1
        return np.where((codes == nodata) | is_tied, codes, winner)
    result, valid = codes.copy(), codes != nodata
    for code in step.codes:
        inside = result == code
        if step.operation == "open":
            eroded = inside & ~ndimage.binary_dilation(valid & ~inside, square)
            result[inside & ~ndimage.binary_dilation(eroded, square)] = step.background
        else:
            dilated = valid & ndimage.binary_dilation(inside, square)
            result[dilated & ~ndimage.binary_dilation(valid & ~dilated, square)] = code
    return result
