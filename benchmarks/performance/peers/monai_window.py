"""MONAI's ``sliding_window_inference`` as its tutorials use it.

The whole image in memory, windows of one size, the output stitched in memory.
"""

from __future__ import annotations

import time
from typing import Any

import rasterio
import torch
from monai.inferers import sliding_window_inference

from benchmarks.performance.child import serve
from benchmarks.performance.peers.counted import Counted

OVERLAP = 0.25
"""MONAI's own default."""
BATCH = 4


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Segment a raster into a GeoTIFF; seconds without the start of the process."""
    start = time.perf_counter()
    network = Counted(torch.jit.load(orders["network"]).eval())
    with rasterio.open(orders["raster"]) as src:
        image, profile = torch.from_numpy(src.read().astype("float32"))[None], src.profile
    with torch.no_grad():
        logits = sliding_window_inference(
            image, (orders["tile"],) * 2, BATCH, network, overlap=OVERLAP, mode=orders["mode"]
        )
    mask = logits[0].argmax(0).to(torch.uint8).numpy()
    with rasterio.open(
        orders["mask"], "w", **{**profile, "count": 1, "dtype": "uint8", "nodata": None, "predictor": 1}
    ) as out:
        out.write(mask, 1)
    return {"seconds": time.perf_counter() - start, "overhead": network.pixels / mask.size}


if __name__ == "__main__":
    serve(measure)
