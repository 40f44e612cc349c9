"""Ceiling: forward passes of the network over pixels that are in memory already. Nothing is read, stitched or written."""

from __future__ import annotations

import ctypes
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.performance.child import cores, peak, serve

if TYPE_CHECKING:
    import torch

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
LOOKED_AT = 3
"""Passes over the smallest tile before all others: TorchScript looks at the first two."""
ENOUGH = 3
"""Passes that are timed at the least, as long as they do not take too long."""
TOO_LONG = 4
"""Times the seconds that were asked for."""


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Mpx/s of the network by side of the tile, as far as the tiles fit the memory."""
    kept = keep_freed() if orders["keep"] else False
    import torch

    torch.set_num_threads(cores())
    network = torch.jit.load(orders["network"]).eval()
    layout = torch.channels_last if orders["channels_last"] else torch.contiguous_format
    network.to(memory_format=layout)
    rates: dict[int, float] = {}
    before, held = peak(), (0, 0)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=orders["precision"] == "bfloat16"):
        for _ in range(LOOKED_AT):
            network(tile(orders["raster"], min(orders["sides"])))
        for side in sorted(orders["sides"]):
            if held[0] and before + held[1] * (side / held[0]) ** 2 > orders["memory"]:
                break
            rates[side] = rate(network, tile(orders["raster"], side).to(memory_format=layout), orders["seconds"])
            held = (side, peak() - before)
    return {"rates": rates, "kept": kept, "threads": torch.get_num_threads()}


def keep_freed() -> bool:
    """Make glibc keep what is freed instead of giving it back to the kernel at every layer; False where there is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 2**28), (M_ARENA_MAX, 1))
    return mallopt is not None and all(mallopt(name, value) for name, value in settings)


def tile(raster: str, side: int) -> torch.Tensor:
    """(1, bands, side, side) float32 of raw pixels from the middle of the raster."""
    import rasterio
    import torch
    from rasterio.windows import Window

    with rasterio.open(raster) as src:
        window = Window((src.width - side) // 2, (src.height - side) // 2, side, side)
        return torch.from_numpy(src.read(window=window).astype("float32"))[None]


def rate(network: Any, x: torch.Tensor, seconds: float) -> float:
    """Mpx/s of the median pass, after a warm-up."""
    network(x)
    times: list[float] = []
    while sum(times) < (seconds if len(times) >= ENOUGH else TOO_LONG * seconds):
        start = time.perf_counter()
        network(x)
        times.append(time.perf_counter() - start)
    return x.shape[-2] * x.shape[-1] / statistics.median(times) / 1e6


if __name__ == "__main__":
    serve(measure)
