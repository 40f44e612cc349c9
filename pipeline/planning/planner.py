"""From what was opened to a plan: sizes, halo, batch, and what a pixel costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.config import Config, OutputConfig, ToleranceConfig
from pipeline.errors import ConfigError, PlanError
from pipeline.inference.normalise import Normalisation, normalise
from pipeline.inspect.memory import activation_memory
from pipeline.inspect.memory.kept_memory import kept_activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.memory.members import memory_of_members
from pipeline.interfaces import Device, Locality, Network, Source
from pipeline.models.ensemble import Ensemble
from pipeline.planning import edges, halo, memory, workers
from pipeline.planning.candidates import DEFAULT_BLEND_SIZE
from pipeline.planning.chunk_limit import check_source_chunks
from pipeline.planning.cropping import ChosenCropping
from pipeline.planning.memory_format import is_pixelwise
from pipeline.planning.runtimes.request import ChosenRuntime
from pipeline.planning.search import fit_workers, over_budget, search_plan
from pipeline.planning.types import Plan, PlanRequest, TilePlan, WorkerLayout
from pipeline.runtime import resources
from pipeline.runtime.backends import backend_of
from pipeline.runtime.device import autocast_dtype, fixed_numerics, torch_device
from pipeline.runtime.memory_constants import (
    ACTIVATION_FACTOR,
    COMPILER_BYTES,
    CONVERSION_BYTES,
    RUN_GROWTH,
    RUNTIME_FACTOR,
)
from pipeline.runtime.resources import GDAL_CACHE
from pipeline.store.layers import layer_spec
from pipeline.store.values import ValuesSpec

if TYPE_CHECKING:
    import torch

    from pipeline.sources.only.area import RequestedArea, SourceAreas

BATCH_PX = 2**22
"""Pixels of all tiles of a batch, on a GPU; a CPU gains nothing from more than one tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """What a plan is made from."""

    config: Config
    source: Source
    areas: SourceAreas
    network: Network
    locality: Locality
    device: Device
    normalisation: Normalisation
    stored: dict[str, Any] | None
    """What the store says of itself where it is there already, else what was frozen."""
    resumes: bool
    """Whether the store is there already."""
    precision: str
    runtime: ChosenRuntime = field(default_factory=ChosenRuntime)
    """What runs the network."""
    cropping: ChosenCropping = field(default_factory=ChosenCropping)
    """How its halos are cropped."""
    folded: bool = False
    """Whether batch norm is folded into the network."""
    mark: str = ""
    """Of the network as it was loaded."""
    same_source: bool = False
    """Whether the source is taken for the one of the store without a look at its pixels."""

    @property
    def area(self) -> RequestedArea | None:
        """What is asked for; None where everything is."""
        return self.areas.area

    @property
    def returns_variance(self) -> bool:
        """Whether the network also returns how far its members are apart, channel by channel."""
        return "variance" in self.config.output.layers

    @property
    def multiple(self) -> int:
        """Sizes that the network sees are multiples of this, px."""
        return math.lcm(self.locality.stride, self.network.accepts.multiple)


def make_plan(inputs: PlanInputs, classes: int) -> tuple[Plan, activation_memory.ActivationMemory | None]:
    """Plan a job, or take up the plan that its store was made with, or that was frozen.

    Parameters
    ----------
    inputs
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
    budget, worker_layout = workers.budget(inputs.config), workers.worker_layout(inputs.config, inputs.device)
    check_source_chunks(inputs.source, budget, _libraries(inputs.runtime))
    if inputs.stored:
        current = {
            "libraries": _libraries(inputs.runtime),
            "gdal_cache": GDAL_CACHE,
            "open_files": inputs.source.open_files,
            "warping": inputs.source.working_bytes,
        }
        costs = memory.MemoryCosts(**{**inputs.stored["costs"], **current})
        worker_layout = replace(worker_layout, streams=_streams_for(inputs, inputs.stored["recipe"]["threads"]))
        stored_plan = fit_workers(
            TilePlan.of(inputs.stored["tiles"]),
            costs,
            budget,
            _workers(inputs.config),
            inputs.source.block,
            worker_layout,
            inputs.cropping.network,
        )
        if stored_plan.peak > budget:
            raise PlanError(over_budget(stored_plan))
        return stored_plan, None
    cost = _activation_memory(inputs, budget)
    costs = _costs(inputs, cost, classes)
    # a halo is measured by torch, whatever runs the network
    room = budget if worker_layout.device is None else min(budget, worker_layout.device)
    halo_decision = _choose_halo(inputs, costs, room)
    return search_plan(_plan_request(inputs, halo_decision, _in_runtime(costs, inputs), budget, worker_layout)), cost


def _in_runtime(costs: memory.MemoryCosts, inputs: PlanInputs) -> memory.MemoryCosts:
    """The same with what the runtime takes, where torch does not see it."""
    taken = inputs.runtime.memory
    if taken is None:
        return costs
    resident = max(taken.bytes_per_pixel * RUNTIME_FACTOR / ACTIVATION_FACTOR, _transform_bytes(inputs))
    return replace(costs, activations=resident, fullness=1.0)


def _activation_memory(inputs: PlanInputs, budget: int) -> activation_memory.ActivationMemory:
    """Of each network, kept under the network and all else that decides it."""

    def measure(network: Network, bands: int) -> activation_memory.ActivationMemory:
        room = Room(budget)
        key = [
            network.identity(),
            inputs.folded,
            bands,
            inputs.multiple,
            str(inputs.device),
            inputs.precision,
            [network.accepts.maximum, network.accepts.minimum, inputs.locality.minimum],
        ]

        def measured() -> activation_memory.ActivationMemory:
            return activation_memory.measure_activation_memory(
                network,
                bands,
                inputs.multiple,
                torch_device(inputs.device),
                autocast_dtype(inputs.precision),
                minimum=inputs.locality.minimum,
                room=room,
            )

        return kept_activation_memory(measured, key, room)

    if isinstance(inputs.network, Ensemble):
        return memory_of_members(inputs.network, measure, inputs.returns_variance)
    return measure(inputs.network, inputs.normalisation.channels)


def _plan_request(
    inputs: PlanInputs,
    halo_decision: halo.HaloDecision,
    costs: memory.MemoryCosts,
    budget: int,
    worker_layout: WorkerLayout,
) -> PlanRequest:
    config, network, locality = inputs.config, inputs.network, inputs.locality
    _check_margin(locality, halo_decision)
    edges.check_padding(locality, config.tile, halo_decision.halo)
    near, far = edges.aprons(
        locality, config.tile, inputs.source.grid.height, inputs.source.grid.width, inputs.multiple
    )
    return PlanRequest(
        height=inputs.source.grid.height,
        width=inputs.source.grid.width,
        tile=config.tile.size,
        overlap=config.tile.overlap,
        taper=config.tile.taper,
        blend=config.tile.blend,
        block=config.output.block,
        chunk=config.output.chunk,
        shard="none" if config.output.zarr_format == 2 else config.output.shard,
        multiple=inputs.multiple,
        minimum=max(locality.minimum, network.accepts.minimum),
        maximum=network.accepts.maximum,
        training_size=config.model.input.size if config.model.input else None,
        halo=halo_decision,
        costs=costs,
        budget=budget,
        workers=_workers(config),
        augment=config.tile.augment,
        batch=_batch(inputs) if halo_decision.halo is None else 1,
        source_block=inputs.source.block,
        worker_layout=worker_layout,
        cores=workers.threads_per_process(config, inputs.device),
        streams=_streams(inputs),
        cropped=inputs.cropping.network,
        area_blocks=inputs.area.blocks if inputs.area else None,
        pixelwise=is_pixelwise(locality, inputs.device),
        pad=config.tile.pad,
        near=near,
        far=far,
    )


def _check_margin(locality: Locality, halo_decision: halo.HaloDecision) -> None:
    """Refuse tiles that keep what an unpadded network does not return."""
    if locality.margin is None:
        return
    minimum, sides = locality.margin.largest, locality.margin.sides
    if halo_decision.halo is None:
        raise ConfigError(
            f"The network is unpadded and its tiles would be blended ({halo_decision.reason}), which takes "
            f"tiles that are returned whole. Leave "
            f"tile.overlap auto, or give "
            f"tile.halo in px, {minimum} or more."
        )
    if halo_decision.halo < minimum:
        raise ConfigError(
            f"tile.halo is {halo_decision.halo} px, but the network is unpadded and leaves off {sides}. "
            f"Give at least {minimum}, or auto."
        )


def _streams(inputs: PlanInputs) -> tuple[int, ...]:
    return workers.streams(inputs.config, inputs.device, inputs.runtime.name)


def _streams_for(inputs: PlanInputs, threads: int) -> int:
    """Tiles at once with as many threads each as a store was made with."""
    maximum, explicit = max(_streams(inputs)), inputs.config.execution.streams != "auto"
    return (
        maximum
        if explicit or maximum == 1
        else max(1, workers.threads_per_process(inputs.config, inputs.device) // threads)
    )


def _choose_halo(inputs: PlanInputs, costs: memory.MemoryCosts, budget: int) -> halo.HaloDecision:
    """How tiles meet; measured on the raster where a tolerance is asked for."""
    requested, overlap = inputs.config.tile.halo, inputs.config.tile.overlap
    if not isinstance(requested, ToleranceConfig):
        return halo.choose_halo(inputs.locality, requested, overlap, inputs.multiple)
    if overlap != "auto" and overlap > 0:
        return halo.choose_halo(inputs.locality, "auto", overlap, inputs.multiple)
    from pipeline.inspect.halo.on_raster import NetworkOnRaster
    from pipeline.inspect.halo.tolerance import halo_for_tolerance

    on_raster = NetworkOnRaster(
        source=inputs.source,
        network=inputs.network,
        locality=inputs.locality,
        normalisation=inputs.normalisation,
        device=torch_device(inputs.device),
        multiple=inputs.multiple,
        room=memory.max_probe_side(costs, budget, requested.places),
        area=inputs.area,
    )
    with fixed_numerics(inputs.precision, resources.cores(), torch_device(inputs.device)):
        tolerated = halo_for_tolerance(on_raster, requested.tolerance, requested.places, requested.seed)
    if tolerated is None:
        return halo.unmeasured(inputs.locality, requested.tolerance, requested.seed, inputs.multiple)
    return halo.by_tolerance(inputs.locality, tolerated, inputs.multiple)


def _batch(inputs: PlanInputs) -> int:
    """Equal tiles at once: what the network's file fixes, what is asked for, or by the device."""
    requested, fixed = inputs.config.tile.batch, inputs.network.accepts.batch
    if requested != "auto" and fixed is not None and requested > fixed:
        raise ConfigError(
            f"tile.batch is {requested}, but the network's file fixes its batch at {fixed}. Give at most that, or auto."
        )
    if fixed is not None or requested == 1 or (requested == "auto" and not backend_of(inputs.device).batched):
        return fixed if requested == "auto" and fixed is not None else 1 if requested == "auto" else requested
    from pipeline.inspect.batch_independence import images_are_independent

    device = torch_device(inputs.device)
    if not images_are_independent(inputs.network, inputs.normalisation.channels, inputs.multiple, device):
        if requested == "auto":
            return 1
        raise ConfigError(
            f"tile.batch is {requested}, but the images of a batch change each other's answers in this "
            f"network. Give 1, or auto."
        )
    trained = inputs.config.model.input.size if inputs.config.model.input else None
    size = (trained or DEFAULT_BLEND_SIZE) if inputs.config.tile.size == "auto" else inputs.config.tile.size
    return requested if requested != "auto" else max(1, min(16, BATCH_PX // size**2))


def _workers(config: Config) -> int | None:
    if config.execution.facts.sequential:
        return 1
    return None if config.execution.workers == "auto" else config.execution.workers


def _libraries(runtime: ChosenRuntime) -> int:
    beside = COMPILER_BYTES if runtime.name == "compile" else 0
    if runtime.memory is not None:
        beside = runtime.memory.libraries + CONVERSION_BYTES
    return resources.resident() + RUN_GROWTH + beside


def _costs(inputs: PlanInputs, cost: activation_memory.ActivationMemory, classes: int) -> memory.MemoryCosts:
    source = inputs.source
    return memory.MemoryCosts(
        libraries=_libraries(inputs.runtime),
        gdal_cache=GDAL_CACHE,
        raw=source.bands * (source.dtype.itemsize + 1) + 2,  # with whether a pixel is valid, and why not
        bands=inputs.normalisation.channels,
        classes=inputs.locality.classes * (1 + inputs.returns_variance),
        activations=max(cost.bytes_per_pixel, _transform_bytes(inputs)),
        fullness=1.0 if cost.fullness is None else round(cost.fullness, 2),
        output=_output(inputs.config.output, classes, inputs.locality.classes) + (inputs.area is not None),
        open_files=source.open_files,
        warping=source.working_bytes,
    )


def _transform_bytes(inputs: PlanInputs) -> float:
    """Live bytes per pixel while raw pixels are transformed; the network runs afterwards."""
    normalisation = inputs.normalisation
    if normalisation.transform is None:
        return 0.0
    import torch

    device = torch_device(inputs.device)

    def transformed(image: torch.Tensor) -> torch.Tensor:
        # made-up pixels may become no numbers
        none_valid = torch.zeros(image.shape[2:], dtype=torch.bool, device=image.device)
        return normalise(image[0], none_valid, normalisation, device)

    return activation_memory.peak_bytes_per_pixel(transformed, normalisation.transform.bands, device)


def _output(output: OutputConfig, classes: int, channels: int) -> int:
    """Bytes per pixel of all layers; the mask may turn out to need two."""
    values = ValuesSpec(channels=("",) * channels, dtype=output.values_dtype)
    layers = (
        layer_spec(
            name, dtype="uint16", nodata=0, probabilities=output.probabilities_dtype, planes=classes, values=values
        )
        for name in output.layers
    )
    return sum(layer.bytes_per_pixel for layer in layers)
