"""Labels of one forward pass.

Over the whole raster where that fits the memory, else over a large part of it, less what its cut reaches.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import rasterio
import torch
import torch.nn.functional as F
from rasterio.windows import Window

from benchmarks.performance.child import cores, peak, serve

TIE = 4e-6
"""Two best logits this near, as a part of the largest, are a tie: rounding decides."""
PROBES = (512, 1024)
"""Sides of two passes that tell what a pixel costs, px."""
SLACK = 1.3
"""Memory that is reckoned with, per byte that the probes took."""
STRIP = 256
"""Rows that are decoded at once."""


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Save labels and ties of the part that can be judged, and say which part it is."""
    torch.set_num_threads(cores())
    network = torch.jit.load(orders["network"]).eval()
    with rasterio.open(orders["raster"]) as src, torch.inference_mode(), torch.jit.optimized_execution(False):
        seen, kept = parts(
            src.height, src.width, affordable(network, src, orders), orders["multiple"], orders["radius"]
        )
        if kept is None:
            return {
                "labels": None,
                "why": f"one pass over {seen} px fits the memory, which is less than the network's reach",
            }
        logits = forward(network, src, seen, orders["multiple"])
    top, left = kept.row_off - seen.row_off, kept.col_off - seen.col_off
    labels, ties = decoded(logits[:, top : top + kept.height, left : left + kept.width])
    np.save(orders["labels"], labels)
    np.save(orders["ties"], ties)
    place = {"row": kept.row_off, "col": kept.col_off, "height": kept.height, "width": kept.width}
    return {
        "labels": orders["labels"],
        "ties": orders["ties"],
        **place,
        "whole": [kept.height, kept.width] == orders["shape"],
        "tied": int(ties.sum()),
    }


def affordable(network: Any, src: Any, orders: dict[str, Any]) -> int:
    """Longest side of a square that one pass may see, px."""
    if max(src.height, src.width) <= PROBES[1]:
        return PROBES[1]
    peaks = []
    for side in PROBES:
        forward(network, src, Window(0, 0, min(side, src.width), min(side, src.height)), orders["multiple"])
        peaks.append(peak())
    each = max((peaks[1] - peaks[0]) / (PROBES[1] ** 2 - PROBES[0] ** 2), 64) * SLACK
    return math.isqrt(int(max(orders["memory"] - peaks[0], 0) / each))


def parts(height: int, width: int, side: int, multiple: int, radius: int | None) -> tuple[Window, Window | None]:
    """What is seen, and what is kept of it: everything, or a square in the middle without its margins.

    None where nothing is left.

    Where the whole does not fit and the radius is unbounded, no part tells what the whole would say.
    """
    if max(height, width) <= side:
        return Window(0, 0, width, height), Window(0, 0, width, height)
    rows, cols = (min(side, length) // multiple * multiple for length in (height, width))
    row, col = ((length - part) // 2 // multiple * multiple for length, part in ((height, rows), (width, cols)))
    seen = Window(col, row, cols, rows)
    if radius is None or min(rows, cols) <= 2 * (radius + 1):
        return seen, None
    margin = radius + 1
    return seen, Window(col + margin, row + margin, cols - 2 * margin, rows - 2 * margin)


def forward(network: Any, src: Any, window: Window, multiple: int) -> torch.Tensor:
    """(classes, rows, cols) of a window; the raster's far edges are padded with 0 to what the network takes."""
    x = torch.from_numpy(src.read(window=window).astype("float32"))[None]
    padded = F.pad(x, (0, -window.width % multiple, 0, -window.height % multiple))
    del x
    answer: torch.Tensor = network(padded)[0, :, : window.height, : window.width]
    return answer


def decoded(logits: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cols) uint8 labels, and where the two best tie."""
    largest = max(float(logits[:, row : row + STRIP].abs().max()) for row in range(0, logits.shape[1], STRIP))
    labels, ties = np.empty(logits.shape[1:], np.uint8), np.empty(logits.shape[1:], bool)
    for row in range(0, logits.shape[1], STRIP):
        best = logits[:, row : row + STRIP].topk(2, 0)
        labels[row : row + STRIP] = best.indices[0].to(torch.uint8).numpy()
        ties[row : row + STRIP] = (best.values[0] - best.values[1] <= TIE * largest).numpy()
    return labels, ties


if __name__ == "__main__":
    serve(measure)
