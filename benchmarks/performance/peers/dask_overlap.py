"""Plain Dask: chunks from rioxarray, an overlap of the network's halo, into Zarr.

Each core has one chunk, and each chunk one thread.

``map_overlap`` in its two steps, since the network turns all bands into one plane. What a user must know beforehand is
given: the halo.
"""

from __future__ import annotations

import time
from typing import Any

import dask
import dask.array as da
import numpy as np
import rioxarray
import torch
import torch.nn.functional as F

from benchmarks.performance.child import cores, serve
from benchmarks.performance.peers.counted import Counted


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Segment a raster into a Zarr array; seconds without the start of the process."""
    start, chunk = time.perf_counter(), orders["tile"]
    network = Counted(torch.jit.load(orders["network"]).eval())
    raster = rioxarray.open_rasterio(orders["raster"], chunks=(-1, chunk, chunk), lock=False)
    depth = {0: 0, 1: orders["halo"], 2: orders["halo"]}
    wide = da.overlap.overlap(raster.data, depth, boundary="none")
    said = wide.map_blocks(
        predict,
        network,
        orders["multiple"],
        dtype="uint8",
        chunks=((1,), *wide.chunks[1:]),
        meta=np.empty((0, 0, 0), "uint8"),
    )
    with dask.config.set(scheduler="threads", num_workers=cores()):
        da.overlap.trim_overlap(said, depth, boundary="none")[0].to_zarr(orders["mask"], overwrite=True)
    return {"seconds": time.perf_counter() - start, "overhead": network.pixels / (raster.shape[1] * raster.shape[2])}


def predict(block: np.ndarray, network: Any, multiple: int) -> np.ndarray:
    """Class codes (1, rows, cols) of a chunk with its overlap, which is padded to what the network takes."""
    torch.set_num_threads(1)  # OpenMP counts per calling thread
    rows, cols = block.shape[1:]
    x = F.pad(torch.from_numpy(block.astype("float32"))[None], (0, -cols % multiple, 0, -rows % multiple))
    with torch.inference_mode():
        return np.asarray(network(x)[:, :, :rows, :cols].argmax(1).to(torch.uint8).numpy())


if __name__ == "__main__":
    serve(measure)
