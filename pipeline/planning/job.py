"""From a config to a job: open, measure, plan; nothing is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from pipeline import __version__
from pipeline.config import Config, NormaliseConfig, ToleranceConfig
from pipeline.errors import SourceError
from pipeline.inference.block_task import BlockTask
from pipeline.inference.normalise import Stretch
from pipeline.inspect.cache import cached
from pipeline.inspect.memory import activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network, Source
from pipeline.locations import Place
from pipeline.models.bn_folding import Folded
from pipeline.planning import (
    activation,
    classes,
    compiling,
    edges,
    fingerprint,
    finite,
    folding,
    frozen_plan,
    limits,
    normalisation,
    picture,
    planner,
    precisions,
    previous_store,
    store_spec,
    workers,
)
from pipeline.planning.area_meta import area_meta
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.load_network import network_on_source
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.planning.option import Resolved
from pipeline.planning.options import RECIPE_OPTIONS, recipe_of_store
from pipeline.planning.planner import PlanInputs
from pipeline.planning.stored_config import stored_config
from pipeline.planning.types import Plan
from pipeline.postprocess.cleaning import Cleaning, resolve_cleaning
from pipeline.runtime.device import no_jit_reoptimisation, run_on_device_thread, select_device
from pipeline.sources import open_source
from pipeline.sources.only import open_areas
from pipeline.sources.only.area import SourceAreas
from pipeline.sources.wrappers.shared_reads import share_reads
from pipeline.store.spec import StoreSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that is decided before the first pixel."""

    config: Config
    source: Source
    network: Network
    """What runs."""
    loaded: Network
    """The same as it was loaded."""
    fold: str
    """What was folded of it, or why nothing was, in words."""
    locality: Locality
    footprint: activation_memory.ActivationMemory | None
    """None where the store was made before, or the plan frozen: it is reused."""
    plan: Plan
    task: BlockTask
    areas: SourceAreas
    blocks: int
    """Blocks that hold anything that is asked for."""
    spec: StoreSpec
    fingerprint: Fingerprint
    resumes: bool
    """Whether the store is there already."""
    complete: bool
    """Whether it is there and complete."""
    moved: Fingerprint
    """What is known of the source now, where it lies elsewhere than the store says, or was written anew; else
    nothing."""
    same_source: bool
    """Whether the source is taken for the same without a look at its pixels."""
    cleaning: Cleaning | None = None
    """How the layer ``cleaned`` is made; None where there is none."""
    remarks: tuple[str, ...] = ()
    """What is to be said of what the network returns, a sentence each."""

    @property
    def path(self) -> Place:
        """The store."""
        return self.task.store

    @property
    def finished_spec(self) -> StoreSpec:
        """What the store is made of once it is complete: with the layer ``cleaned`` where there is one."""
        return self.spec if self.cleaning is None else self.spec.with_cleaned

    @property
    def resolved(self) -> Resolved:
        """What the options are read from."""
        return Resolved(
            config=self.config,
            network=self.network,
            recipe=self.task.recipe,
            tiles=self.plan.tiles,
            device=self.task.device,
        )

    @property
    def stretch(self) -> Stretch | None:
        """Numbers of the raster itself that its pixels are normalised by."""
        return self.task.recipe.normalisation.stretch

    @property
    def normalise(self) -> NormaliseConfig:
        """What asks for them. Of a job with such numbers alone."""
        model_input = self.config.model.input
        assert model_input is not None, "a job with numbers of its raster asks for them"
        assert model_input.normalise is not None, "the same"
        return model_input.normalise

    @property
    def provisional(self) -> bool:
        """Whether these are still to be found by a pass over the raster."""
        return self.stretch is not None and self.stretch.provisional

    def with_stretch(self, stretch: Stretch) -> Job:
        """The job with the numbers that a pass has found; a halo that was measured with others is measured anew."""
        if isinstance(self.config.tile.halo, ToleranceConfig):
            return prepare_job(self.config, fresh=True, same_source=self.same_source, stretch=stretch)
        recipe = self.task.recipe
        normalised = replace(recipe, normalisation=replace(recipe.normalisation, stretch=stretch))
        return replace(
            self,
            task=replace(self.task, recipe=normalised),
            fingerprint={**self.fingerprint, NORMALISE_KEY: stretch.record},
        )

    def meta(self) -> dict[str, Any]:
        """What the store says of itself; nothing of it changes from run to run of one job."""
        return {
            "version": __version__,
            "tiles": self.plan.tiles.as_dict(),
            "costs": asdict(self.plan.costs),
            "recipe": {option.name: option.resolved(self.resolved) for option in RECIPE_OPTIONS},
            "fingerprint": self.fingerprint,
            "locality": asdict(self.locality),
            "halo": {
                "exact": self.plan.tiles.exact,
                "why": self.plan.tiles.why,
                "tolerated": self.plan.tiles.as_dict()["tolerated"],
            },
            "classes": [asdict(row) for row in self.spec.classes],
            "blocks": list(self.task.layout.shape),
            "levels": self.spec.levels,
            **({"asked": self.blocks} if self.task.area else {}),
            **area_meta(self.areas, self.source.grid, keeps_picture=self.config.output.picture is not False),
            **({"picture": self.spec.picture.as_dict()} if self.spec.picture else {}),
            "config": stored_config(self.config),
            "given": stored_config(self.config, exclude_unset=True),
            "versions": {"wholecloth": __version__, "torch": str(torch.__version__)},
        }


def prepare_job(config: Config, fresh: bool = False, same_source: bool = False, stretch: Stretch | None = None) -> Job:
    """Decide everything about a job.

    Parameters
    ----------
    config
        What is asked for.
    fresh
        Plan as if the store were not there.
    same_source
        Take the source for the one that the store, or the frozen plan, was made with, where it has the same size and
        grid.
    stretch
        The raster's own numbers, once a pass has found them.

    Raises
    ------
    InputError
        The config, source, network or store is wrong.
    PlanError
        The plan does not fit the memory.
    """
    activation_memory.start_profiler()
    return run_on_device_thread(lambda: _prepared(config, fresh, same_source, stretch))


@no_jit_reoptimisation()
def _prepared(config: Config, fresh: bool, same_source: bool, stretch: Stretch | None) -> Job:
    existing = previous_store.read_plan(config.output.path, fresh)
    stored = frozen_plan.plan_to_reuse(config, existing)
    source = open_source(config.source, config.execution.read_timeout, stored["fingerprint"] if stored else None)
    areas = open_areas(config.source, source, stored.get("tissue") if stored else None)
    resolved = classes.resolve_model(config.model, source.bands, source.dtype)
    resolved = (
        normalisation.with_stretch(resolved, source, areas, stored["fingerprint"] if stored else None)
        if stretch is None
        else resolved.with_stretch(stretch)
    )
    device = select_device(config.execution.device)
    finite.check_transform(source, resolved.normalisation.transform)
    network = network_on_source(resolved.model, source, resolved.normalisation, device)
    mark = network.mark
    identity = fingerprint.input_identity(source, areas, network, config.output.redact)
    moved = same_source or existing is not None
    frozen_locality = (
        None if config.locked is None else frozen_plan.locality(config.locked, identity, device.type, moved)
    )
    trained = resolved.model.input.size if resolved.model.input else None
    locality = frozen_locality or cached(
        network, resolved.normalisation.channels, trained=trained, room=Room(workers.budget(config))
    )
    if stored and locality.maximum is None:
        locality = replace(locality, maximum=stored.get("locality", {}).get("maximum"))
    locality = edges.with_padding(locality, config.tile, network.accepts.multiple)
    network = locality.apply_to(network)
    recipe = recipe_of_store(stored["recipe"]) if stored else {}
    allowed_error = folding.allowed_fold_error(config.execution.fold, config.execution.precision)
    folded = folding.choose_folding(network, locality, device, allowed_error, recipe.get("fold"))
    precision = precisions.choose_precision(
        config.execution.precision, folded.network, locality, device, recipe.get("precision")
    )
    compiles = compiling.choose_compilation(
        config.execution.compile, folded.network, locality, device, recipe.get("compile")
    )
    inputs = PlanInputs(
        config=config,
        source=source,
        areas=areas,
        network=folded.network,
        locality=locality,
        device=device,
        normalisation=resolved.normalisation,
        stored=stored,
        resumes=existing is not None,
        precision=precision,
        compiles=compiles,
        same_source=same_source,
        mark=mark,
    )
    chosen = activation.choose_activation(
        resolved.model.output,
        locality,
        stored["fingerprint"] if stored else None,
        has_classes="mask" in config.output.layers,
    )
    # before the plan: a wrong list is the likelier mistake
    rows = classes.rows_of_job(resolved, config, inputs.locality.classes)
    plan, cost = planner.make_plan(inputs, len(rows))
    while (smaller := limits.with_size_limit(inputs, plan)) is not None:
        inputs = smaller
        plan, cost = planner.make_plan(inputs, len(rows))
    return _job(inputs, network, folded, resolved, chosen, plan, cost)


def _job(
    inputs: PlanInputs,
    loaded: Network,
    folded: Folded,
    resolved: classes.ResolvedModel,
    chosen: activation.Activation,
    plan: Plan,
    cost: activation_memory.ActivationMemory | None,
) -> Job:
    config, source, stored, path = inputs.config, inputs.source, inputs.stored, inputs.config.output.path
    recipe, rows = classes.recipe(
        resolved,
        config,
        inputs.locality.classes,
        chosen,
        precision=inputs.precision,
        tiles=plan.tiles,
        fold=folded.done,
        compiles=inputs.compiles,
        threads=stored["recipe"]["threads"]
        if stored
        else max(workers.threads_per_process(config, inputs.device) // plan.worker_layout.streams, 1),
    )
    options = Resolved(
        config=config, network=inputs.network, recipe=recipe, tiles=plan.tiles, device=str(inputs.device)
    )
    moved = _moved(inputs, options) if stored else {}
    layout = plan.layout()
    task = BlockTask(
        source=edges.padded_source(share_reads(source, layout, plan.sharing), plan.tiles.pad),
        model=resolved.model,
        recipe=recipe,
        layout=layout,
        store=path,
        device=str(inputs.device),
        retries=config.execution.retries,
        area=inputs.area,
        streams=plan.worker_layout.streams,
        margin=inputs.locality.margin,
        edges=edges.without_class(inputs.locality.margin, config.tile),
        mark=inputs.mark,
        picture=picture.choose_picture(config.output, source, plan.tiles.block, stored if inputs.resumes else None),
    )
    store_fingerprint = fingerprint.resolved_fingerprint(
        fingerprint.input_identity(source, inputs.areas, inputs.network, config.output.redact), options
    )
    if stored:  # a store keeps what it says; one that a frozen plan makes also says what plans of before do not know
        store_fingerprint = (
            stored["fingerprint"] if inputs.resumes else {**store_fingerprint, **stored["fingerprint"], **moved}
        )
    spec = store_spec.make_spec(inputs, store_fingerprint, recipe, rows, plan.tiles, task.picture)
    return Job(
        config=config,
        source=edges.padded_source(source, plan.tiles.pad),
        network=inputs.network,
        loaded=loaded,
        fold=folded.description,
        locality=inputs.locality,
        footprint=cost,
        plan=plan,
        task=task,
        areas=inputs.areas,
        blocks=_count(task),
        spec=spec,
        fingerprint=store_fingerprint,
        resumes=inputs.resumes,
        complete=bool(stored and stored.get("complete")),
        moved=moved,
        same_source=inputs.same_source,
        cleaning=resolve_cleaning(
            config.output.postprocess, stored if inputs.resumes else None, store_fingerprint, spec
        ),
        remarks=(
            *activation.remarks(resolved.model.output, inputs.locality, chosen, has_classes=recipe.has_classes),
            *edges.edge_remarks(inputs.locality, config.tile),
        ),
    )


def _moved(inputs: PlanInputs, options: Resolved) -> Fingerprint:
    """What is known of the source now, where it lies elsewhere.

    Raises StoreError where the store is of another job, ConfigError where a frozen plan is.
    """
    config, stored = inputs.config, fingerprint.completed(inputs.stored or {})
    current = fingerprint.requested_fingerprint(
        fingerprint.input_identity(inputs.source, inputs.areas, inputs.network, config.output.redact), options
    )
    if (stored_key := stored.get("model.key")) is not None and inputs.network.returns_same_output(stored_key):
        current["model.key"] = stored_key
    if config.locked is not None:
        frozen_plan.require_same_plan(
            options, current, store_spec.requested_levels(inputs, options.tiles), inputs.same_source or inputs.resumes
        )
    source_moved = fingerprint.compare(stored, current, config.output.path)
    return {key: value for key, value in current.items() if key.startswith("source.")} if source_moved else {}


def _count(task: BlockTask) -> int:
    """Blocks that hold anything that is asked for."""
    if task.area is None:
        return task.layout.count
    count = sum(1 for _ in task.blocks())
    if not count:
        raise SourceError(
            f"{task.area.description} hold no pixel's centre of the raster, so that there is nothing "
            f"to infer. Give a larger area."
        )
    return count
