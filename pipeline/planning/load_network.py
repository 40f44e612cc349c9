"""A network on its source, loaded and looked at, but neither measured nor planned for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.config import Config, ModelConfig
from pipeline.errors import BandsError, ModelError
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Recipe
from pipeline.inspect.cache import cached_only
from pipeline.inspect.locality.joint import joint_locality
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network, Source
from pipeline.models import load
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.planning import activation, classes, edges, finite, workers
from pipeline.planning.described import described_config
from pipeline.planning.input_sources import open_sources
from pipeline.planning.locate_network import locate_network_of_store
from pipeline.planning.members import require_as_loaded, settle_members
from pipeline.planning.normalisation import stored_numbers, with_stretch
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.planning.types import TilePlan
from pipeline.runtime.device import no_jit_reoptimisation, run_on_device_thread, select_device
from pipeline.sources import with_notes
from pipeline.sources.only import open_areas
from pipeline.store.spec import ClassRow

if TYPE_CHECKING:
    import torch

    from pipeline.sources.only.area import RequestedArea, SourceAreas


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedNetwork:
    """A network on its device, before its raster."""

    config: Config
    source: Source
    """As tiles see it: padded where the config asks for that."""
    areas: SourceAreas
    network: Network
    locality: Locality
    """As an earlier plan measured it, else what a first look shows."""
    measured: bool
    """Whether an earlier plan measured it."""
    device: torch.device
    room: Room
    """Memory of the job."""

    @property
    def area(self) -> RequestedArea | None:
        """What is asked for; None where everything is."""
        return self.areas.area

    @property
    def multiple(self) -> int:
        """Sizes that the network sees are multiples of this, px."""
        return self.locality.stride

    def remarks(self, recipe: Recipe) -> tuple[str, ...]:
        """What is to be said of what the network returns, a sentence each."""
        output, chosen = self.config.model.output, recipe.decoding.activation
        return (
            *activation.remarks(output, self.locality, chosen, has_classes=recipe.has_classes),
            *edges.edge_remarks(self.locality, self.config.tile),
        )

    def recipe(self, config: Config) -> tuple[Recipe, tuple[ClassRow, ...]]:
        """What a run makes of this network by a config, and the class table.

        The config may differ in normalisation and decoding. Batch norm is not folded, and torch or onnxruntime
        runs the network.

        Raises
        ------
        ConfigError, ModelError
            Classes, thresholds or normalisation do not fit the network or the raster.
        """
        config = described_config(config)
        model = config.model.with_input_bands(self.config.model.input_bands)
        resolved = classes.resolve_model(model, self.source.bands, self.source.dtype)
        resolved = with_stretch(resolved, config.source, self.source, self.areas, stored_numbers(config))
        require_as_loaded(resolved, self.network)
        # before the activation: a wrong list is the likelier mistake
        classes.rows_of_job(resolved, config, self.locality.classes)
        chosen = activation.choose_activation(
            resolved.model.output, self.locality, has_classes="mask" in config.output.layers
        )
        precision = config.execution.precision
        return classes.recipe(
            resolved,
            config,
            self.locality.classes,
            chosen,
            precision="float32" if precision == "auto" else precision,
            threads=workers.threads_per_process(config, self.device),
            tiles=_one_tile(config, self),
            fold=False,
        )


def load_network(config: Config) -> LoadedNetwork:
    """Open the source, and load the network on its device.

    What an earlier plan measured of the network is used; otherwise a first look takes a few small passes.

    Raises
    ------
    InputError
        The config, source or network is wrong.
    PlanError
        The network does not fit the memory.
    """
    return run_on_device_thread(lambda: _load_network(config))


@no_jit_reoptimisation()
def _load_network(config: Config) -> LoadedNetwork:
    config = described_config(locate_network_of_store(config).config)
    config, source = open_sources(config)
    areas = open_areas(config.source, source)
    resolved = classes.resolve_model(config.model, source.bands, source.dtype)
    device = select_device(config.execution.device)
    finite.check_transform(source, resolved.normalisation.transform)
    network = network_on_source(resolved.model, source, resolved.normalisation, device)
    room = Room(workers.budget(config))
    resolved, network, locality, measured = _looked_at(config, resolved, network)
    locality = edges.with_padding(locality, config.tile, network.accepts.multiple)
    return LoadedNetwork(
        config=config.model_copy(update={"model": resolved.model}),
        source=edges.padded_source(source, config.tile.pad),
        areas=areas,
        network=locality.apply_to(network),
        locality=locality,
        measured=measured,
        device=device,
        room=room,
    )


def _looked_at(
    config: Config, resolved: ResolvedModel, network: Loaded
) -> tuple[ResolvedModel, Loaded, Locality, bool]:
    """The network with what is known of it, and whether all of that was measured before."""
    looks: list[tuple[Locality, bool]] = []

    def look(one: Loaded, trained: int | None) -> Locality:
        looks.append(look_at(one, trained, Room(workers.budget(config))))
        return looks[-1][0]

    resolved, network = settle_members(resolved, network, look, None, has_classes="mask" in config.output.layers)
    if isinstance(network, Ensemble):
        return resolved, network, joint_locality(network), all(measured for _, measured in looks)
    return resolved, network, look(network, resolved.model.input.size if resolved.model.input else None), looks[0][1]


def look_at(network: Loaded, trained: int | None, room: Room) -> tuple[Locality, bool]:
    """What is known of one network, and whether that was measured before."""
    from pipeline.inspect.first_look import first_look

    measured = cached_only(network, network.bands, trained=trained)
    return (first_look(network, network.bands, trained, room), False) if measured is None else (measured, True)


def network_on_source(model: ModelConfig, source: Source, normalisation: Normalisation, device: torch.device) -> Loaded:
    """The network on the source's bands.

    Where it takes others, what of the source is not read belongs to the message.
    """
    try:
        return load(model, normalisation.channels, device)
    except BandsError as error:
        if normalisation.transform is not None and normalisation.channels != source.bands:
            raise ModelError(
                f"model.input.transform {normalisation.transform.place} makes {normalisation.channels} "
                f"channels of {source.bands} bands, but the "
                f"network takes {error.expected}. "
                f"Let it return {error.expected}, or name another network."
            ) from error
        raise BandsError(with_notes(str(error), source), error.expected, error.input_name) from error


def _one_tile(config: Config, loaded: LoadedNetwork) -> TilePlan:
    """The plan of one tile, as far as a recipe asks for it."""
    grid = loaded.source.grid
    return TilePlan(
        height=grid.height,
        width=grid.width,
        block=config.output.chunk,
        chunk=config.output.chunk,
        shard=None,
        multiple=loaded.multiple,
        minimum=loaded.locality.minimum,
        halo=0,
        core=0,
        size=0,
        step=0,
        taper="flat",
        blend=config.tile.blend,
        exact=False,
        why="one tile",
        augment=config.tile.augment,
        pad=config.tile.pad,
    )
