"""From what was opened to a plan: sizes, halo, batch, and what a pixel costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from pipeline.config import Config, OutputConfig, ToleranceConfig
from pipeline.errors import ConfigError, PlanError
from pipeline.inference.normalise import Normalisation, normalise
from pipeline.inspect.batch_independence import independent
from pipeline.inspect.halo.on_raster import Sight
from pipeline.inspect.halo.tolerance import choose
from pipeline.inspect.memory import activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network, Source
from pipeline.planning import edges, halo, memory, workers
from pipeline.planning.candidates import BLENDED
from pipeline.planning.search import over_budget, resolve, staff
from pipeline.planning.types import Hands, Plan, Tiles, Wish
from pipeline.runtime import resources
from pipeline.runtime.device import PRECISIONS, rounding
from pipeline.runtime.resources import GDAL_CACHE, MIB
from pipeline.store.spec import layer_spec

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area

BATCH_PX = 2**22
"""Pixels of all tiles of a batch, on a GPU; a CPU gains nothing from more than one tile."""
GROWTH = 160 * MIB
"""What libraries grow by once a run is on its way: threads and their heaps, the scheduler, codecs, what freed tensors leave behind."""
COMPILING = 512 * MIB
"""What torch's compiler holds, and the C++ compiler that it calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a plan is made from."""

    config: Config
    source: Source
    area: Area | None
    network: Network
    locality: Locality
    device: torch.device
    normalisation: Normalisation
    stored: dict[str, Any] | None
    """What the store says of itself where it is there already, else what was frozen."""
    resumes: bool
    """Whether the store is there already."""
    precision: str
    compiles: bool
    mark: str = ""
    """Of the network as it was loaded."""
    same_source: bool = False
    """Whether the source is taken for the one of the store without a look at its pixels."""

    @property
    def multiple(self) -> int:
        """Sizes that the network sees are multiples of this, px."""
        return math.lcm(self.locality.stride, self.network.accepts.multiple)


def plan(opened: Opened, classes: int) -> tuple[Plan, activation_memory.Footprint | None]:
    """Plan a job, or take up the plan that its store was made with, or that was frozen.

    Parameters
    ----------
    opened
        Source, network and config.
    classes
        Rows of the class table.

    Returns
    -------
    tuple
        The plan, and what was measured for it; None where there is one.

    Raises
    ------
    ConfigError
        What is asked for cannot be.
    PlanError
        Nothing fits the memory.
    """
    budget, hands = workers.budget(opened.config), workers.hands(opened.config, opened.device)
    if opened.stored:
        now = {"libraries": _libraries(opened.compiles), "gdal_cache": GDAL_CACHE, "open_files": opened.source.open_files}
        costs = memory.Costs(**{**opened.stored["costs"], **now})
        hands = replace(hands, streams=_streams_for(opened, opened.stored["recipe"]["threads"]))
        made = staff(Tiles.of(opened.stored["tiles"]), costs, budget, _workers(opened.config), opened.source.block, hands)
        if made.peak > budget:
            raise PlanError(over_budget(made))
        return made, None
    cost = activation_memory.measure(
        opened.network, opened.normalisation.channels, opened.multiple, opened.device, PRECISIONS[opened.precision], minimum=opened.locality.minimum,
        room=Room(budget),
    )  # fmt: skip
    return resolve(_wish(opened, _costs(opened, cost, classes), budget, hands)), cost


def _wish(opened: Opened, costs: memory.Costs, budget: int, hands: Hands) -> Wish:
    config, network, locality = opened.config, opened.network, opened.locality
    meet = _meet(opened, costs, budget if hands.device is None else min(budget, hands.device))
    _check_margin(locality, meet)
    near, far = edges.aprons(locality, config.tile, opened.source.grid.height, opened.source.grid.width, opened.multiple)
    return Wish(
        height=opened.source.grid.height, width=opened.source.grid.width, tile=config.tile.size, overlap=config.tile.overlap,
        taper=config.tile.taper, blend=config.tile.blend, block=config.output.block, chunk=config.output.chunk,
        shard="none" if config.output.zarr_format == 2 else config.output.shard, multiple=opened.multiple,
        minimum=max(locality.minimum, network.accepts.minimum), maximum=network.accepts.maximum,
        training_size=config.model.input.size if config.model.input else None,
        halo=meet, costs=costs, budget=budget, workers=_workers(config), augment=config.tile.augment,
        batch=_batch(opened) if meet.halo is None else 1, source_block=opened.source.block, hands=hands,
        cores=workers.threads(config, opened.device), streams=_streams(opened), asked=opened.area.blocks if opened.area else None,
        pad=config.tile.pad, near=near, far=far,
    )  # fmt: skip


def _check_margin(locality: Locality, meet: halo.HaloDecision) -> None:
    """Refuse tiles that keep what an unpadded network does not return."""
    if locality.margin is None:
        return
    least, sides = locality.margin.largest, locality.margin.sides
    if meet.halo is None:
        raise ConfigError(
            f"The network is unpadded and its tiles would be blended ({meet.why}), which takes tiles that are returned whole. Leave tile.overlap auto, or give "
            f"tile.halo in px, {least} or more."
        )
    if meet.halo < least:
        raise ConfigError(f"tile.halo is {meet.halo} px, but the network is unpadded and leaves off {sides}. Give at least {least}, or auto.")


def _streams(opened: Opened) -> tuple[int, ...]:
    radius = opened.locality.radius.largest if opened.locality.radius else None
    return workers.streams(opened.config, opened.device, radius, opened.compiles)


def _streams_for(opened: Opened, threads: int) -> int:
    """Tiles at once with as many threads each as a store was made with."""
    most, asked = max(_streams(opened)), opened.config.execution.streams != "auto"
    return most if asked or most == 1 else max(1, workers.threads(opened.config, opened.device) // threads)


def _meet(opened: Opened, costs: memory.Costs, budget: int) -> halo.HaloDecision:
    """How tiles meet; measured on the raster where a tolerance is asked for."""
    wanted, overlap = opened.config.tile.halo, opened.config.tile.overlap
    if not isinstance(wanted, ToleranceConfig):
        return halo.decide(opened.locality, wanted, overlap, opened.multiple)
    if overlap != "auto" and overlap > 0:
        return halo.decide(opened.locality, "auto", overlap, opened.multiple)
    sight = Sight(
        source=opened.source, network=opened.network, locality=opened.locality, normalisation=opened.normalisation, device=opened.device,
        multiple=opened.multiple, room=memory.longest(costs, budget, wanted.places), area=opened.area,
    )  # fmt: skip
    with rounding(opened.precision, resources.cores(), opened.device):
        found = choose(sight, wanted.tolerance, wanted.places, wanted.seed)
    if found is None:
        return halo.unmeasured(opened.locality, wanted.tolerance, wanted.seed, opened.multiple)
    return halo.by_tolerance(opened.locality, found, opened.multiple)


def _batch(opened: Opened) -> int:
    """Equal tiles at once: what the network's file fixes, what is asked for, or by the device."""
    asked, fixed = opened.config.tile.batch, opened.network.accepts.batch
    if asked != "auto" and fixed is not None and asked > fixed:
        raise ConfigError(f"tile.batch is {asked}, but the network's file fixes its batch at {fixed}. Give at most that, or auto.")
    if fixed is not None or asked == 1 or (asked == "auto" and opened.device.type == "cpu"):
        return fixed if asked == "auto" and fixed is not None else 1 if asked == "auto" else asked
    if not independent(opened.network, opened.normalisation.channels, opened.multiple, opened.device):
        if asked == "auto":
            return 1
        raise ConfigError(f"tile.batch is {asked}, but the images of a batch change each other's answers in this network. Give 1, or auto.")
    trained = opened.config.model.input.size if opened.config.model.input else None
    size = (trained or BLENDED) if opened.config.tile.size == "auto" else opened.config.tile.size
    return asked if asked != "auto" else max(1, min(16, BATCH_PX // size**2))


def _workers(config: Config) -> int | None:
    if config.execution.engine == "serial":
        return 1
    return None if config.execution.workers == "auto" else config.execution.workers


def _libraries(compiles: bool) -> int:
    return resources.resident() + GROWTH + (COMPILING if compiles else 0)


def _costs(opened: Opened, cost: activation_memory.Footprint, classes: int) -> memory.Costs:
    source = opened.source
    return memory.Costs(
        libraries=_libraries(opened.compiles),
        gdal_cache=GDAL_CACHE,
        raw=source.bands * (source.dtype.itemsize + 1) + 2,  # with whether a pixel is valid, and why not
        bands=opened.normalisation.channels,
        classes=opened.locality.classes,
        activations=max(cost.bytes_per_pixel, _transforming(opened)),
        fullness=1.0 if cost.fullness is None else round(cost.fullness, 2),
        output=_output(opened.config.output, classes) + (opened.area is not None),
        open_files=source.open_files,
    )


def _transforming(opened: Opened) -> float:
    """Live bytes per pixel while raw pixels are transformed; the network runs afterwards."""
    how = opened.normalisation
    if how.transform is None:
        return 0.0

    def transformed(image: torch.Tensor) -> torch.Tensor:
        nowhere = torch.zeros(image.shape[2:], dtype=torch.bool, device=image.device)  # made-up pixels may become no numbers
        return normalise(image[0], nowhere, how, opened.device)

    return activation_memory.peak(transformed, how.transform.bands, opened.device)


def _output(output: OutputConfig, classes: int) -> int:
    """Bytes per pixel of all layers; the mask may turn out to need two."""
    layers = (layer_spec(name, dtype="uint16", nodata=0, probabilities=output.probabilities_dtype, planes=classes) for name in output.layers)
    return sum(layer.bytes_per_pixel for layer in layers)
