"""Whether halos are cropped on their way through a job's network.

Decided when its store is made, after a part of a tile was seen to be the same as in the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from pipeline.config import Config
from pipeline.errors import ConfigError, ModelError
from pipeline.geometry.span import round_up
from pipeline.geometry.window import Window
from pipeline.inspect.instructions import torch_instructions
from pipeline.interfaces import Locality
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.plan import Cropping
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.models.weights.file_type import first_line
from pipeline.planning.folding import noise_shape
from pipeline.planning.runtimes.request import ChosenRuntime
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, out_of_memory, torch_device
from pipeline.runtime.record_files import NotRecorded, recorded, torch_release

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.models.cropping.network import CroppedNetwork


CROPPING_VERSION = 1
"""Raised when cropping or its comparison changes, so that networks are compared again."""
COMPARED_SIDE = 384
"""Longest side of the image on which both are compared, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCropping:
    """Whether halos are cropped, and by what."""

    network: Cropping | None = None
    """The network as it computes a part of a tile; None where tiles are computed whole."""
    why: str = ""
    """How that was decided, in words."""
    side: int = 0
    """Of the image on which the network was seen, px."""


def choose_cropping(
    config: Config,
    network: Loaded,
    locality: Locality,
    device: Device,
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
        side = noise_shape(network, locality)[2]
        chosen = _chosen(network, locality, side, device, precision, runtime, folded, compare=stored is None)
        if not isinstance(chosen, str):
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


def _chosen(
    network: Loaded,
    locality: Locality,
    side: int,
    device: Device,
    precision: str,
    runtime: ChosenRuntime,
    folded: bool,
    *,
    compare: bool,
) -> Cropping | str:
    """The network as it computes parts, or why it is not taken."""
    try:
        if isinstance(network, RecordedNetwork):
            cropping: Cropping = _without_torch(network, locality, side, runtime)
            differs: Callable[[], str | None] = _unmeasured
        else:
            with fixed_numerics(precision, resources.cores(), torch_device(device)):
                cropping = cropped = _cropped(network, locality, side, device, runtime)
            differs = partial(_difference, cropped, locality, torch_device(device), precision)
    except Unsupported as error:
        return str(error)
    except Exception as error:  # whatever its layers raise
        return f"it could not be looked at ({first_line(error)})"
    if not compare:
        return cropping
    computing = [torch_release(), str(device), torch_instructions(), resources.cores()]
    running_in = [] if runtime.name == "torch" else [runtime.name, runtime.release]
    reason = recorded(
        "cropping",
        [CROPPING_VERSION, network.identity(), folded, precision, *computing, *running_in, locality.stride, side],
        differs,
        lambda reason: {"obstacle": reason},
        lambda values: cast("str | None", values["obstacle"]),
    )
    return cropping if reason is None else reason


def _cropped(network: Loaded, locality: Locality, side: int, device: Device, runtime: ChosenRuntime) -> CroppedNetwork:
    """What the network does to a small image. Raises Unsupported."""
    from pipeline.models.cropping.network import crop_image

    crop = RUNTIMES[runtime.name].crop
    assert crop is not None, "asked only of a runtime that crops"
    running = RUNTIMES[runtime.name].run(network, runtime.shape)
    return crop(running, crop_image(locality.bands, side, torch_device(device)))


def _without_torch(network: RecordedNetwork, locality: Locality, side: int, runtime: ChosenRuntime) -> Cropping:
    """The same of what its runtime kept of a network; raises NotRecorded where that is nothing."""
    arrays = RUNTIMES[runtime.name].arrays
    opened = None if arrays is None else arrays(network, runtime.shape)
    if opened is None or opened.crop is None:
        raise NotRecorded("cropping")
    return opened.crop((1, locality.bands, side, side))


def _unmeasured() -> str | None:
    raise NotRecorded("cropping")


def _difference(cropped: CroppedNetwork, locality: Locality, device: torch.device, precision: str) -> str | None:
    """How parts of an image of noise differ from the whole; None where they do not."""
    import torch

    from pipeline.inspect.locality.stride import equal_to_rounding

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
