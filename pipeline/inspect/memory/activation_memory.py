"""What a pixel costs inside a network: live bytes at the peak, and seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.geometry.span import round_up
from pipeline.inspect.memory.limit import FIRST_IMAGE_SIDE, Room, starved
from pipeline.interfaces import Network
from pipeline.runtime.backends import backend_of
from pipeline.runtime.device import out_of_memory

if TYPE_CHECKING:
    import torch


MEMORY_IMAGE_SIDE = 384
"""Side of the image that is measured, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationMemory:
    """Per pixel of the network's input."""

    bytes_per_pixel: float
    """Live bytes at the peak, beyond the input."""
    fullness: float | None
    """Live bytes on average, over all bytes that are allocated one after the other, as a share of those at the peak;
    None where that is not seen."""
    seconds_per_pixel: float
    """On this machine, now: a guess for the plan, never a choice."""


def start_profiler() -> None:
    """Start torch's profiler, quietly, in the thread that imported torch.

    It complains on stderr where another thread is the first to use it.
    """
    from torch.autograd.profiler import profile

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it greets otherwise
    with profile():
        pass


def measure_activation_memory(
    network: Network,
    bands: int,
    multiple: int,
    device: torch.device,
    dtype: torch.dtype | None = None,
    *,
    minimum: int = 1,
    room: Room | None = None,
) -> ActivationMemory:
    """Run one image and follow the allocator.

    Parameters
    ----------
    network
        On ``device``.
    bands
        Bands of its input.
    multiple
        Sizes it takes are multiples of this, px.
    device
        CPU or GPU.
    dtype
        Below float32, autocast is on; None is float32.
    minimum
        The smallest size that it takes, px.
    room
        Memory that the image may take; None for as much as there is.

    Raises
    ------
    PlanError
        There is none for the smallest image, here or on the device.
    """
    images = _images(network, bands, multiple, minimum, device, room)
    for smaller, x in enumerate(images, 1):
        try:
            return _measured(network, x, dtype)
        except Exception as error:
            if not out_of_memory(error):
                raise
            if smaller == len(images):
                raise starved(x) from error
    raise AssertionError("there is at least one image")


def _measured(network: Network, x: torch.Tensor, dtype: torch.dtype | None) -> ActivationMemory:
    import torch

    device, bands, side = x.device, x.shape[1], x.shape[2]
    half = None if dtype is torch.float32 else dtype
    with (
        torch.inference_mode(),
        torch.autocast(device.type, half, enabled=half is not None),
    ):
        network(x)
        start = time.perf_counter()
        peak, fullness = backend_of(device).peak(network, x)
        seconds = time.perf_counter() - start
    if network.graph:
        peak, fullness = peak + network.graph.peak(bands, side), None
    return ActivationMemory(bytes_per_pixel=peak / side**2, fullness=fullness, seconds_per_pixel=seconds / side**2)


def _images(
    network: Network, bands: int, multiple: int, minimum: int, device: torch.device, room: Room | None
) -> list[torch.Tensor]:
    """Images of (1, bands, side, side) to measure, the largest first.

    They go from the largest side up to `MEMORY_IMAGE_SIDE` that there is room for down to the smallest.

    Raises PlanError where there is none for any.
    """
    import torch

    accepts = network.accepts
    images = [
        torch.zeros((1, bands, side, side), device=device).contiguous(memory_format=torch.channels_last)
        for edge in (
            MEMORY_IMAGE_SIDE,
            MEMORY_IMAGE_SIDE * 2 // 3,
            MEMORY_IMAGE_SIDE // 2,
            MEMORY_IMAGE_SIDE // 3,
            FIRST_IMAGE_SIDE,
        )
        for side in (max(round_up(max(min(edge, accepts.maximum or edge), minimum), multiple), accepts.minimum),)
    ]
    if room is None:
        return images
    with torch.inference_mode():
        room.admit(network, images[-1])
        return images[next(k for k, image in enumerate(images) if image is images[-1] or room.fits(network, image)) :]


def peak_bytes_per_pixel(function: Callable[[torch.Tensor], torch.Tensor], bands: int, device: torch.device) -> float:
    """Live bytes per pixel at the peak of any function of an image (1, bands, rows, cols), beyond its input."""
    import torch

    x = torch.ones((1, bands, MEMORY_IMAGE_SIDE, MEMORY_IMAGE_SIDE), device=device)
    function(x)
    return backend_of(device).peak(function, x)[0] / MEMORY_IMAGE_SIDE**2
