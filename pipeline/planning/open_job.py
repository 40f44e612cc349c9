"""What a config names, opened: its source, areas and network, and what its store says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.config import Config, ModelConfig
from pipeline.inference.normalise import Adjustment, Normalisation
from pipeline.inspect.cache import cached
from pipeline.inspect.locality.joint import joint_locality
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network, Source
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.planning import classes, edges, fingerprint, finite, frozen_plan, normalisation, workers
from pipeline.planning.described import described_config
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.input_sources import open_sources
from pipeline.planning.locate_network import LocatedNetwork
from pipeline.planning.members import settle_members
from pipeline.planning.options import recipe_of_store
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.sources.only import open_areas
from pipeline.sources.only.area import SourceAreas

if TYPE_CHECKING:
    from pipeline.interfaces import Device


OpenNetwork = Callable[[ModelConfig, Source, Normalisation, Any], Loaded]
"""Opens the network of a model for a source on a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job is decided from, as `prepare_job` is told."""

    config: Config
    fresh: bool
    same_source: bool
    stretch: Adjustment | None
    silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedJob:
    """What a config names, opened, and what its store says."""

    config: Config
    stored: dict[str, Any] | None
    """What the store says of itself where it is there already, else what was frozen."""
    resumes: bool
    """Whether the store is there already."""
    same_source: bool
    source: Source
    areas: SourceAreas
    resolved: ResolvedModel
    device: Device
    network: Loaded
    """Before it is told how large its tiles may be."""
    revision: tuple[str, ...]
    """What is to be told of the revision of its file, a sentence each."""

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the store, or of the frozen plan."""
        return self.stored["fingerprint"] if self.stored else None

    @property
    def recipe(self) -> dict[str, Any]:
        """Of the store, or of the frozen plan; empty where there is neither."""
        return recipe_of_store(self.stored["recipe"]) if self.stored else {}

    def identity(self, network: Network) -> Fingerprint:
        """Source, areas and network, as a fingerprint names them."""
        return fingerprint.input_identity(self.source, self.areas, network, self.config.output.redact)


def open_job(
    request: JobRequest,
    located: LocatedNetwork,
    existing: dict[str, Any] | None,
    device: Device,
    open_network: OpenNetwork,
) -> OpenedJob:
    """Open what a config names.

    Parameters
    ----------
    request
        What is asked for.
    located
        The config, with the file of its network found.
    existing
        What the store says of itself; None where there is none.
    device
        Where the network goes.
    open_network
        Loads the network, or takes what was recorded of it.

    Raises
    ------
    InputError
        The config, source, network or store is wrong.
    """
    config = described_config(located.config)
    stored = frozen_plan.plan_to_reuse(config, existing)
    stored_fingerprint = stored["fingerprint"] if stored else None
    config, source = open_sources(config, stored_fingerprint)
    areas = open_areas(config.source, source, stored.get("tissue") if stored else None)
    resolved = classes.resolve_model(config.model, source.bands, source.dtype)
    resolved = (
        normalisation.with_stretch(resolved, config.source, source, areas, stored_fingerprint)
        if request.stretch is None
        else resolved.with_stretch(request.stretch)
    )
    finite.check_transform(source, resolved.normalisation.transform)
    resolved, network = settle_members(
        resolved,
        open_network(resolved.model, source, resolved.normalisation, device),
        lambda one, trained: cached(one, one.bands, trained=trained, room=Room(workers.budget(config))),
        stored_fingerprint,
        has_classes="mask" in config.output.layers,
    )
    return OpenedJob(
        config=config,
        stored=stored,
        resumes=existing is not None,
        same_source=request.same_source,
        source=source,
        areas=areas,
        resolved=resolved,
        device=device,
        network=network,
        revision=located.remarks,
    )


def measured_locality(opened: OpenedJob) -> Locality:
    """How far the network sees: of the frozen plan, or measured; padded as the config asks."""
    config, model_input = opened.config, opened.resolved.model.input
    locality = (
        None
        if config.locked is None
        else frozen_plan.locality(
            config.locked, opened.identity(opened.network), opened.device.type, opened.same_source or opened.resumes
        )
    ) or (
        joint_locality(opened.network)
        if isinstance(opened.network, Ensemble)
        else cached(
            opened.network,
            opened.resolved.normalisation.channels,
            trained=model_input.size if model_input else None,
            room=Room(workers.budget(config)),
        )
    )
    if opened.stored and locality.maximum is None:
        locality = replace(locality, maximum=opened.stored.get("locality", {}).get("maximum"))
    return edges.with_padding(locality, config.tile, opened.network.accepts.multiple)
