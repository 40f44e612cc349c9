"""Ceiling: forward passes of the network over pixels that are in memory already.

Nothing is read, stitched or written.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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

    streams = cores() if orders.get("streams") else 1
    torch.set_num_threads(cores() // streams)
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
            x = tile(orders["raster"], side).to(memory_format=layout)
            rates[side] = (
                side
                * side
                * streams
                / median(several(network, x, streams, orders["precision"]), orders["seconds"])
                / 1e6
            )
            held = (side, peak() - before)
    return {"rates": rates, "kept": kept, "threads": torch.get_num_threads()}


def keep_freed() -> bool:
    """Make glibc keep what is freed instead of giving it back to the kernel at every layer.

    False where there is no glibc.
    """
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


def several(network: Any, x: torch.Tensor, streams: int, precision: str) -> Callable[[], object]:
    """One pass in each of so many threads at once; in this thread where it is one."""
    import torch

    if streams == 1:
        return lambda: network(x)
    threads, each = ThreadPoolExecutor(streams), torch.get_num_threads()

    def one() -> None:
        torch.set_num_threads(each)  # OpenMP's settings are those of the calling thread, and so are torch's modes
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            network(x)

    return lambda: [future.result() for future in [threads.submit(one) for _ in range(streams)]]


def median(work: Callable[[], object], seconds: float) -> float:
    """Seconds of the median pass, after a warm-up."""
    work()
    times: list[float] = []
    while sum(times) < (seconds if len(times) >= ENOUGH else TOO_LONG * seconds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    serve(measure)
