"""Whether halos are cropped on their way through a job's network.

Decided when its store is made, after a part of a tile was seen to be the same as in the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

from pipeline.config import Config
from pipeline.errors import ConfigError, ModelError
from pipeline.geometry.span import round_up
from pipeline.geometry.window import Window
from pipeline.inspect.locality.stride import equal_to_rounding
from pipeline.inspect.records import recorded
from pipeline.interfaces import Locality
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.network import CroppedNetwork, crop_image
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.models.weights.file_type import first_line
from pipeline.planning.folding import noise_image
from pipeline.planning.runtimes.request import ChosenRuntime
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, out_of_memory

CROPPING_VERSION = 1
"""Raised when cropping or its comparison changes, so that networks are compared again."""
COMPARED_SIDE = 384
"""Longest side of the image on which both are compared, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCropping:
    """Whether halos are cropped, and by what."""

    network: CroppedNetwork | None = None
    """The network as it computes a part of a tile; None where tiles are computed whole."""
    why: str = ""
    """How that was decided, in words."""
    side: int = 0
    """Of the image on which the network was seen, px."""


def choose_cropping(
    config: Config,
    network: Loaded,
    locality: Locality,
    device: torch.device,
    *,
    precision: str,
    runtime: ChosenRuntime,
    folded: bool,
    stored: bool | None,
) -> ChosenCropping:
    """Take to cropping where it may be, and changes nothing but roundings.

    Parameters
    ----------
    config
        What is asked for.
    network
        As torch runs it.
    locality
        What was measured of it.
    device
        Where it is.
    precision, runtime, folded
        How it runs.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet.

    Raises
    ------
    ConfigError
        Cropping is asked for, and cannot be.
    ModelError
        The store was made with it, and it cannot be done here.
    """
    requested = config.execution.crop
    if stored is False or (stored is None and requested is False):
        return ChosenCropping(why="execution.crop is false" if stored is None else "the store was made without")
    obstacle = _obstacle(config, network, locality, runtime)
    if obstacle is None:
        side = noise_image(network, locality, device).shape[2]
        chosen = _recorded(network, locality, side, device, precision, runtime, folded, compare=stored is None)
        if isinstance(chosen, CroppedNetwork):
            return ChosenCropping(network=chosen, why="halos are cropped on their way", side=side)
        obstacle = chosen
    if stored and _choice(config) is None:
        raise ModelError(
            f"The store was made by a network whose halos are cropped on their way through it, but here {obstacle}. "
            f"Use the release of torch that made the store, or run with --fresh, which deletes it and starts over."
        )
    if requested is True and not stored:
        raise ConfigError(f"execution.crop is true, but {obstacle}. Leave it auto.")
    return ChosenCropping(why=f"tiles are computed whole: {obstacle}")


def _obstacle(config: Config, network: Loaded, locality: Locality, runtime: ChosenRuntime) -> str | None:
    """Why halos are not cropped, before the network is looked at."""
    if RUNTIMES[runtime.name].crop is None:
        return f"{RUNTIMES[runtime.name].noun} takes tiles as they are"
    if network.accepts.batch not in (None, 1):
        return "the network's file fixes how many images it takes at once"
    if isinstance(network, Ensemble):
        return "there are several networks, or one whose classes are added up"
    if network.margin is not None:
        return "the network is unpadded"
    if locality.verdict != "local" or locality.radius is None:
        return f"the network is {locality.verdict}"
    if not locality.radius.largest:
        return "the network looks at single pixels"
    return _choice(config)


def _choice(config: Config) -> str | None:
    """What the config asks for that takes whole tiles; a store of another choice refuses it by name."""
    if config.tile.augment != "none":
        return "tiles are turned (tile.augment)"
    if config.tile.overlap not in ("auto", 0):
        return "tiles are blended (tile.overlap)"
    return None


def _recorded(
    network: Loaded,
    locality: Locality,
    side: int,
    device: torch.device,
    precision: str,
    runtime: ChosenRuntime,
    folded: bool,
    *,
    compare: bool,
) -> CroppedNetwork | str:
    """The network as it computes parts, or why it is not taken."""
    crop = RUNTIMES[runtime.name].crop
    assert crop is not None, "asked only of a runtime that crops"
    with fixed_numerics(precision, resources.cores(), device):
        try:
            running = RUNTIMES[runtime.name].run(network, runtime.shape)
            cropped = crop(running, crop_image(locality.bands, side, device))
        except Unsupported as error:
            return str(error)
        except Exception as error:  # whatever its layers raise
            return f"it could not be looked at ({first_line(error)})"
    if not compare:
        return cropped
    computing = [torch.__version__, str(device), torch.backends.cpu.get_cpu_capability(), resources.cores()]
    running_in = [] if runtime.name == "torch" else [runtime.name, runtime.release]
    reason = recorded(
        "cropping",
        [CROPPING_VERSION, network.identity(), folded, precision, *computing, *running_in, locality.stride, side],
        lambda: _difference(cropped, locality, device, precision),
        lambda reason: {"obstacle": reason},
        lambda values: cast("str | None", values["obstacle"]),
    )
    return cropped if reason is None else reason


def _difference(cropped: CroppedNetwork, locality: Locality, device: torch.device, precision: str) -> str | None:
    """How parts of an image of noise differ from the whole; None where they do not."""
    unit = locality.stride
    side = max(round_up(COMPARED_SIDE, unit), round_up(max(locality.minimum, 3 * unit), unit))
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((1, locality.bands, side, side), generator=generator).to(device)
    image = image.contiguous(memory_format=torch.channels_last)
    part = round_up(side // 3, unit)
    with fixed_numerics(precision, resources.cores(), device):
        try:
            whole = cropped.network(image)
            for row, col in ((part, part), (0, part), (side - part, side - part)):
                keep = Window(row=row, col=col, height=part, width=part)
                if not equal_to_rounding(cropped(image, keep), whole[(..., *keep.slices)], whole):
                    return "parts of a tile are not what they are in the whole"
        except Exception as error:
            if out_of_memory(error):
                return "there is no memory to compare it"
            return f"it could not be compared with the network as it is ({first_line(error)})"
    return None
