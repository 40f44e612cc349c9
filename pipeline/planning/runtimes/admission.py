"""Whether a runtime gives the same as what a network was loaded for: on noise, and on the raster's own pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.errors import ModelError, ReadError
from pipeline.inference.normalise import Normalisation
from pipeline.interfaces import Locality, Source
from pipeline.models.loaded import Loaded
from pipeline.models.weights.file_type import first_line
from pipeline.planning.folding import excess_difference, noise_image, noise_shape
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics

if TYPE_CHECKING:
    import torch


ADMISSION_WINDOWS = 2
"""Of the raster."""
ADMISSION_TRIES = 6
"""Places of the raster that are read for them."""
WINDOW_SEED = 0


def admission_obstacle(
    network: Loaded,
    other: Loaded,
    locality: Locality,
    source: Source,
    normalisation: Normalisation,
    allowed_error: float,
) -> str | None:
    """Why a runtime is not admitted, or None.

    Parameters
    ----------
    network
        As it was loaded, on the CPU.
    other
        The same in the runtime.
    locality
        What was measured of it.
    source, normalisation
        The raster, and what becomes of its pixels.
    allowed_error
        How far apart both may be, as a share of the largest logit. Labels then differ only where two classes tie.
    """
    import torch

    device = torch.device("cpu")
    with fixed_numerics("float32", resources.cores(), device):
        for image in _images(network, locality, source, normalisation, device):
            try:
                reason = excess_difference(network(image), other(image), allowed_error)
            except ModelError as error:
                return str(error).rstrip(".")
            except Exception as error:  # whatever layers and runtimes raise
                return f"it could not be compared with the network as it is ({first_line(error)})"
            if reason is not None:
                return reason
    return None


def _images(
    network: Loaded, locality: Locality, source: Source, normalisation: Normalisation, device: torch.device
) -> Iterator[torch.Tensor]:
    """Noise, stronger noise, invalid pixels alone, an image of another shape, and windows of the raster."""
    import torch

    noise = noise_image(network, locality, device)
    yield from (noise, 3 * noise + 1, torch.zeros_like(noise))
    from pipeline.inspect.halo.raster_windows import probe_windows

    shape = other_shape(network, locality)
    if shape[2] != shape[3]:
        yield torch.randn(shape, generator=torch.Generator().manual_seed(1)).contiguous(
            memory_format=torch.channels_last
        )
    side = max(shape[2:])
    try:
        windows = probe_windows(
            source,
            normalisation,
            device,
            side=side,
            multiple=locality.stride,
            count=ADMISSION_WINDOWS,
            seed=WINDOW_SEED,
            tries=ADMISSION_TRIES,
            patience=ADMISSION_TRIES,
        )
    except ReadError:  # a window that cannot be read fails its block, and no plan
        windows = []
    yield from (image.contiguous(memory_format=torch.channels_last) for image, _ in windows)


def first_shape(network: Loaded, locality: Locality) -> tuple[int, ...]:
    """(batch, bands, rows, cols) of the image with which a runtime follows a network's code."""
    return (network.accepts.batch or 1, *noise_shape(network, locality)[1:])


def other_shape(network: Loaded, locality: Locality) -> tuple[int, ...]:
    """Another shape, of more columns, where the network takes one: sizes must not have become constants."""
    batch, bands, rows, cols = first_shape(network, locality)
    step = max(locality.stride, network.accepts.multiple)
    wider = cols + step
    fits = network.accepts.maximum is None or wider <= network.accepts.maximum
    return (batch, bands, rows, wider if fits else cols)
