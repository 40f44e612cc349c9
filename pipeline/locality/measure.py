"""The verdict: stride, radius, and whether tiles were seen to equal the whole."""

from __future__ import annotations

import torch

from pipeline.errors import ModelError
from pipeline.locality import confirm, receptive_field, stride
from pipeline.locality.blame import suspects
from pipeline.locality.probe import Prober
from pipeline.protocols import Locality, Network, Radius
from pipeline.raster.span import round_up

FIXED = "a fixed input size, which leaves no larger image to compare with"


def measure(network: Network, bands: int) -> Locality:
    """Measure a network, on whatever device it is.

    Parameters
    ----------
    network
        In eval mode.
    bands
        Bands of its input.

    Raises
    ------
    ModelError
        It runs on no size that was tried.
    """
    parameter = next(network.module.parameters(), None)
    prober = Prober(network=network, bands=bands, device=parameter.device if parameter is not None else torch.device("cpu"))
    period = stride.find(prober)
    unit = period or stride.multiple(prober)
    minimum = stride.side(prober, unit)
    if minimum is None:
        raise ModelError(_refuses(prober, bands))
    across = stride.side(prober, round_up(32, unit)) or minimum
    classes = len(prober.see(prober.noise(across, across)))
    found = suspects(prober, across)
    reach = receptive_field.radius(prober, period, across) if period else None
    verdict, blame = _verdict(prober, period, reach, across, tuple(found.everywhere), tuple(found.data))
    return Locality(verdict=verdict, stride=unit, radius=reach if verdict != "not local" else None, bands=bands, classes=classes, minimum=minimum, blame=blame)


def _verdict(
    prober: Prober, period: int | None, reach: Radius | None, across: int, everywhere: tuple[str, ...], data: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    if period is None or reach is None:
        return "not local", everywhere + data
    if prober.fixed:
        return "unproven", (*data, FIXED)
    if not confirm.confirm(prober, period, receptive_field.halo_for(reach, period), across):
        return "not local", everywhere + data
    return ("unproven", data) if data else ("local", ())


def _refuses(prober: Prober, bands: int) -> str:
    side = prober.size(256, 64)
    try:
        prober.see(prober.noise(side, side))
        why = "it takes no square up to 1024 px that is a multiple of its stride"
    except Exception as error:  # whatever it raises is what the user needs to read
        why = f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:200]}"
    return (
        f"The network cannot run on {bands} bands at any size that was tried ({why}). Check that source.bands gives the number of bands it was "
        "trained on, and that it takes one image of (batch, bands, rows, cols)."
    )
