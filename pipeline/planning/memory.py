"""Projected peak memory, by buffer, and how many blocks may be in flight."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.runtime.memory_constants import (
    ACTIVATION_FACTOR,
    DECODING_BYTES,
    ENCODING_FACTOR,
    FULLNESS_KNEE,
    FULLNESS_SLOPE,
    MIN_FRAGMENTATION,
    SHARED_FACTOR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCosts:
    """What a pixel costs in the process, and what is there before the first one."""

    libraries: int
    """Resident bytes of the process with its libraries and the network loaded, and what they grow by."""
    gdal_cache: int
    """Bytes of GDAL's block cache."""
    raw: int
    """Bytes per pixel read: bands × itemsize, with the validity of each band."""
    bands: int
    """Bands of the network's float32 input."""
    classes: int
    """Channels of the logits."""
    activations: float
    """Live bytes per pixel of the network at its peak, beyond its input."""
    output: int
    """Bytes per pixel of all layers written."""
    fullness: float = 1.0
    """Live bytes of the network on average, as a share of those at its peak; 1 where nobody saw."""
    cropped: float = 1.0
    """Live bytes of the network in the largest tile, as a share of those where it is computed whole."""
    open_files: int = 0
    """Bytes that the files of a mosaic, or a slide with its cached tiles, hold while they are open."""
    warping: int = 0
    """Bytes that a reader holds while it decodes tiles, or brings a part to another grid."""

    @property
    def cached_per_pixel(self) -> int:
        """Bytes per pixel that is held once it was read: bands × itemsize, and whether it is valid."""
        return self.raw - self.bands


def per_block(costs: MemoryCosts, frame: int, block: int) -> dict[str, int]:
    """Bytes that each block in flight holds, by buffer.

    Parameters
    ----------
    costs
        Bytes per pixel.
    frame
        Pixels read for a block, halo included.
    block
        Pixels of the block.
    """
    return {
        "raw pixels in flight": frame * costs.raw,
        "output and its encoding": block * costs.output * ENCODING_FACTOR,
    }


def on_device_per_block(costs: MemoryCosts, frame: int, block: int) -> int:
    """Bytes that each block in flight holds on a device with memory of its own, its raw pixels and its layers.

    Of the same as `per_block`.
    """
    return frame * costs.cached_per_pixel + block * costs.output


def fragmentation_factor(streams: int, fullness: float = 1.0) -> float:
    """Peak resident bytes per byte of live tensors where several tiles are computed at once.

    Each of the tiles is so full on average.
    """
    shared = max(SHARED_FACTOR - FULLNESS_SLOPE * max(FULLNESS_KNEE - fullness, 0), MIN_FRAGMENTATION)
    return shared + (ACTIVATION_FACTOR - shared) / streams


def device_buffers(
    costs: MemoryCosts, tile: int, accumulator: int, turned: bool, probabilities: bool, streams: int = 1
) -> dict[str, int]:
    """Bytes that the tiles on the device hold, by buffer.

    Parameters
    ----------
    costs
        Bytes per pixel.
    tile
        Pixels of the largest tile, or of all tiles of a batch.
    accumulator
        Pixels of the blend's accumulator, 0 where tiles are not blended.
    turned
        Whether tiles are also turned: then what is turned and the sum of the answers are held as well.
    probabilities
        Whether probabilities are averaged: then they are held beside the logits.
    streams
        Tiles, or batches of them, that are there at a time.
    """
    return {
        "network input": streams * tile * costs.bands * 4 * (3 if turned else 2),
        "activations": int(
            streams * tile * costs.activations * costs.cropped * fragmentation_factor(streams, costs.fullness)
        ),
        "logits": streams * tile * (costs.classes * 4 * (1 + turned + probabilities) + DECODING_BYTES),
        **({"sum of the blend": streams * accumulator * costs.classes * 4} if accumulator else {}),
    }


def max_probe_side(costs: MemoryCosts, budget: int, windows: int) -> int:
    """Longest side of a square window that may go through the network before there is a plan, px.

    The input of so many windows is in memory meanwhile.
    """
    per_pixel = (
        sum(device_buffers(costs, 1, 0, turned=False, probabilities=False).values())
        + costs.classes * 4
        + windows * (costs.bands * 4 + 1)
        + costs.raw
    )
    return math.isqrt(
        max(budget - costs.libraries - costs.gdal_cache - costs.open_files - costs.warping, 0) // per_pixel
    )


def projected(costs: MemoryCosts, *, frame: int, block: int, workers: int) -> dict[str, int]:
    """Peak memory of the process, by buffer, in bytes, where each block is read for itself.

    What is on the device comes beside it.
    """
    in_flight = {name: size * workers for name, size in per_block(costs, frame, block).items()}
    return {
        "libraries and network": costs.libraries,
        "GDAL's cache": costs.gdal_cache,
        **({"open files of the source": costs.open_files} if costs.open_files else {}),
        **({"being decoded or resampled": costs.warping * workers} if costs.warping else {}),
        **in_flight,
    }


def sharing(costs: MemoryCosts, *, cached: int, decoding: int, workers: int) -> dict[str, int]:
    """Bytes by buffer of what blocks share.

    Parameters
    ----------
    costs
        Bytes per pixel.
    cached
        Bytes of decoded pixels that are held for neighbours.
    decoding
        Pixels that a reader decodes at once, beside those of its block.
    workers
        Blocks in flight.
    """
    return (
        {"decoded and held for neighbours": cached, "being decoded": decoding * costs.raw * workers} if cached else {}
    )


def times_processes(buffers: dict[str, int], processes: int, launcher: int) -> dict[str, int]:
    """Bytes by buffer of several equal processes, and of the one that starts them where it is none of them."""
    return {
        **({"the process that hands out blocks": launcher} if launcher else {}),
        **{name: size * processes for name, size in buffers.items()},
    }
