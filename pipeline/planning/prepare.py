"""From a config to a job: open, measure, plan; nothing is written.

::

    config, store ──► source, areas, network ──► locality ──► plan ──► job
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pipeline.config import Config, ModelConfig, ToleranceConfig
from pipeline.errors import SourceError
from pipeline.inference.block_task import BlockTask
from pipeline.inference.normalise import Adjustment, Normalisation
from pipeline.inference.recipe import Recipe
from pipeline.inspect.cache import cached
from pipeline.inspect.locality.joint import joint_locality
from pipeline.inspect.memory import activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Locality, Network, Source
from pipeline.models import model_with_file
from pipeline.models.bn_folding import Folded
from pipeline.models.ensemble import Ensemble
from pipeline.models.loaded import Loaded
from pipeline.models.probabilities import Activation
from pipeline.models.recorded_network import RecordedNetwork, recorded_network
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.planning import (
    activation,
    classes,
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
from pipeline.planning.cropping import ChosenCropping, choose_cropping
from pipeline.planning.described import described_config
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.input_sources import open_sources
from pipeline.planning.job import Job
from pipeline.planning.load_network import network_on_source
from pipeline.planning.locate_network import LocatedNetwork, locate_network
from pipeline.planning.members import settle_members
from pipeline.planning.memory_format import choose_memory_format
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.planning.option import Resolved
from pipeline.planning.options import recipe_of_store
from pipeline.planning.planner import PlanInputs
from pipeline.planning.resolved_model import ResolvedModel
from pipeline.planning.runtimes.choice import choose_runtime
from pipeline.planning.runtimes.request import ChosenRuntime, RuntimeRequest
from pipeline.planning.types import Plan
from pipeline.postprocess.cleaning import resolve_cleaning
from pipeline.runtime.collection import without_collection
from pipeline.runtime.device import cpu_without_torch, no_jit_reoptimisation, run_on_device_thread, select_device
from pipeline.runtime.record_files import NotRecorded, records_alone
from pipeline.sources.only import open_areas
from pipeline.sources.only.area import SourceAreas
from pipeline.sources.wrappers.shared_reads import share_reads
from pipeline.store.spec import ClassRow

if TYPE_CHECKING:
    from pipeline.interfaces import Device


OpenNetwork = Callable[[ModelConfig, Source, Normalisation, Any], Loaded]
"""Opens the network of a model for a source on a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What a job is decided from, as `prepare_job` is told."""

    config: Config
    fresh: bool
    same_source: bool
    stretch: Adjustment | None
    silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
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


def prepare_job(
    config: Config,
    fresh: bool = False,
    same_source: bool = False,
    stretch: Adjustment | None = None,
    silent: bool = False,
    *,
    from_records: bool = False,
) -> Job:
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
    silent
        Show no progress where the network is downloaded.
    from_records
        Do without torch where all that a run asks of the network was measured before, and tiles are computed without
        it. The network of such a job has no module.

    Raises
    ------
    InputError
        The config, source, network or store is wrong.
    PlanError
        The plan does not fit the memory.
    Unfinished
        The network is to be downloaded, and its server is away.
    """
    request = _Request(config=config, fresh=fresh, same_source=same_source, stretch=stretch, silent=silent)
    device = cpu_without_torch(config.execution.device)
    if from_records and device is not None and _may_do_without_torch(config):
        job = _from_records(request, device)
        if job is not None:
            return job
    with without_collection():  # torch is imported here
        activation_memory.start_profiler()
    return run_on_device_thread(lambda: _with_torch(request))


def with_numbers(job: Job, stretch: Adjustment) -> Job:
    """The job with the numbers that a pass has found; a halo that was measured with others is measured anew."""
    if isinstance(job.config.tile.halo, ToleranceConfig):
        return prepare_job(job.config, fresh=True, same_source=job.same_source, stretch=stretch, silent=True)
    recipe = job.task.recipe
    normalised = replace(recipe, normalisation=replace(recipe.normalisation, stretch=stretch))
    return replace(
        job,
        task=replace(job.task, recipe=normalised),
        fingerprint={**job.fingerprint, NORMALISE_KEY: stretch.record},
    )


def _may_do_without_torch(config: Config) -> bool:
    """Whether nothing is asked for that runs the network before the first block, or after the last one."""
    execution, model = config.execution, config.model
    is_onnx = model.kind == "onnx" or (model.kind is None and model.path is not None and model.path.suffix == ".onnx")
    return (
        not (model.members or config.output.certificate or config.locked)
        and (is_onnx or execution.requested_runtime == "openvino")
        and execution.precision in ("auto", "float32")
        and not isinstance(config.tile.halo, ToleranceConfig)
    )


@no_jit_reoptimisation()
def _with_torch(request: _Request) -> Job:
    return _prepare(request, select_device(request.config.execution.device), network_on_source)


def _from_records(request: _Request, device: Device) -> Job | None:
    """The job of a network that was measured before and leaves torch; None where any of that does not hold."""
    from pipeline.planning.warnings import job_warnings

    try:
        with records_alone():
            job = _prepare(request, device, _recorded_on_source)
            if not job.resumes:
                job_warnings(job)
    except NotRecorded:
        return None
    return job if job.task.on_arrays else None


def _recorded_on_source(model: ModelConfig, source: Source, normalisation: Normalisation, device: Device) -> Loaded:
    """As `network_on_source`, of a network that was loaded before."""
    network = recorded_network(model_with_file(model, normalisation.channels), normalisation.channels)
    if network is None:
        raise NotRecorded("network")
    return network


def _prepare(request: _Request, device: Device, open_network: OpenNetwork) -> Job:
    config = request.config
    existing = previous_store.read_plan(config.output.path, request.fresh)
    located = locate_network(config, existing, request.silent)
    opened = _open(request, located, existing, device, open_network)
    config = opened.config
    locality = _locality(opened)
    network = locality.apply_to(opened.network)
    inputs, folded = _plan_inputs(opened, network, locality)
    chosen = activation.choose_activation(
        opened.resolved.model.output, locality, opened.fingerprint, has_classes="mask" in config.output.layers
    )
    # before the plan: a wrong list is the likelier mistake
    rows = classes.rows_of_job(opened.resolved, config, locality.classes)
    inputs, plan, cost = _plan(inputs, len(rows))
    return _job(opened, network, inputs, folded, chosen, plan, cost)


def _open(
    request: _Request,
    located: LocatedNetwork,
    existing: dict[str, Any] | None,
    device: Device,
    open_network: OpenNetwork,
) -> _Opened:
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
    return _Opened(
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


def _locality(opened: _Opened) -> Locality:
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


def _plan_inputs(opened: _Opened, network: Loaded, locality: Locality) -> tuple[PlanInputs, Folded]:
    """What the plan is made from: the network as it runs, folded, in its precision, compiled or not."""
    execution, device, recipe = opened.config.execution, opened.device, opened.recipe
    allowed_error = folding.allowed_fold_error(execution.fold, execution.precision)
    folded = folding.choose_folding(network, locality, device, allowed_error, recipe.get("fold"))
    precision = precisions.choose_precision(
        execution.precision, folded.network, locality, device, recipe.get("precision")
    )
    runtime = _runtime(opened, folded, locality, precision)
    running = folded.network
    if isinstance(running, RecordedNetwork):
        running = _opened_on_arrays(running, runtime)
    inputs = PlanInputs(
        config=opened.config,
        source=opened.source,
        areas=opened.areas,
        network=running,
        locality=locality,
        device=device,
        normalisation=opened.resolved.normalisation,
        stored=opened.stored,
        resumes=opened.resumes,
        precision=precision,
        runtime=runtime,
        same_source=opened.same_source,
        folded=folded.done,
        mark=opened.network.mark,
    )
    return replace(inputs, cropping=_cropping(opened, inputs)), folded


def _opened_on_arrays(network: RecordedNetwork, runtime: ChosenRuntime) -> RecordedNetwork:
    """A recorded network, opened for blocks: its memory is a part of the plan. Raises NotRecorded."""
    arrays = RUNTIMES[runtime.name].arrays
    opened = None if arrays is None else arrays(network, runtime.shape)
    if opened is None:
        raise NotRecorded("runtime")
    return replace(network, opened=opened)


def _cropping(opened: _Opened, inputs: PlanInputs) -> ChosenCropping:
    """Whether halos are cropped on their way through the network."""
    stored = bool(opened.recipe.get("crop")) if opened.recipe else None
    return choose_cropping(
        opened.config,
        cast(Loaded, inputs.network),
        inputs.locality,
        inputs.device,
        precision=inputs.precision,
        runtime=inputs.runtime,
        folded=inputs.folded,
        stored=stored,
    )


def _runtime(opened: _Opened, folded: Folded, locality: Locality, precision: str) -> ChosenRuntime:
    """What runs the network."""
    execution = opened.config.execution
    return choose_runtime(
        RuntimeRequest(
            requested=execution.requested_runtime,
            setting="execution.compile is true" if execution.compile else f"execution.runtime is {execution.runtime}",
            precision=precision,
            network=folded.network,
            folded=folded.done,
            locality=locality,
            device=opened.device,
            source=opened.source,
            normalisation=opened.resolved.normalisation,
            limited=opened.areas.area is not None,
            stored=opened.recipe,
        )
    )


def _plan(inputs: PlanInputs, rows: int) -> tuple[PlanInputs, Plan, activation_memory.ActivationMemory | None]:
    """The plan, again with smaller tiles as long as the device takes none of that size."""
    plan, cost = planner.make_plan(inputs, rows)
    while (smaller := limits.with_size_limit(inputs, plan)) is not None:
        inputs = smaller
        plan, cost = planner.make_plan(inputs, rows)
    return inputs, plan, cost


def _job(
    opened: _Opened,
    network: Loaded,
    inputs: PlanInputs,
    folded: Folded,
    chosen: Activation,
    plan: Plan,
    cost: activation_memory.ActivationMemory | None,
) -> Job:
    config, source, stored = opened.config, opened.source, opened.stored
    recipe, rows = _recipe(opened, inputs, folded, chosen, plan)
    options = Resolved(
        config=config, network=inputs.network, recipe=recipe, tiles=plan.tiles, device=str(inputs.device)
    )
    moved = _moved(inputs, options) if stored else {}
    task = _task(opened, inputs, plan, recipe)
    store_fingerprint = _fingerprint(opened, inputs, options, moved)
    spec = store_spec.make_spec(inputs, store_fingerprint, recipe, rows, plan.tiles, task.picture)
    return Job(
        config=config,
        source=edges.padded_source(source, plan.tiles.pad),
        network=inputs.network,
        loaded=network,
        fold=folded.description,
        runtime_choice=inputs.runtime.why,
        cropping=inputs.cropping.why,
        cropped=inputs.cropping.network,
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
        revision=opened.revision,
        remarks=(
            *activation.remarks(opened.resolved.model.output, inputs.locality, chosen, has_classes=recipe.has_classes),
            *edges.edge_remarks(inputs.locality, config.tile),
        ),
    )


def _recipe(
    opened: _Opened, inputs: PlanInputs, folded: Folded, chosen: Activation, plan: Plan
) -> tuple[Recipe, tuple[ClassRow, ...]]:
    """The recipe and the class table, with the threads of the store where it is there."""
    threads = workers.threads_per_process(opened.config, inputs.device) // plan.worker_layout.streams
    return classes.recipe(
        opened.resolved,
        opened.config,
        inputs.locality.classes,
        chosen,
        precision=inputs.precision,
        tiles=plan.tiles,
        fold=folded.done,
        crop=inputs.cropping.network is not None and plan.tiles.halo is not None,
        runtime=inputs.runtime.name,
        runtime_release=inputs.runtime.release,
        memory_format=choose_memory_format(
            opened.network, inputs.locality, inputs.device, inputs.runtime.name, opened.recipe.get("memory_format")
        ),
        threads=opened.stored["recipe"]["threads"] if opened.stored else max(threads, 1),
    )


def _task(opened: _Opened, inputs: PlanInputs, plan: Plan, recipe: Recipe) -> BlockTask:
    """What a worker is sent once."""
    config, source, layout = opened.config, opened.source, plan.layout()
    stored = opened.stored if opened.resumes else None
    return BlockTask(
        source=edges.padded_source(share_reads(source, layout, plan.sharing), plan.tiles.pad),
        model=opened.resolved.model,
        recipe=recipe,
        layout=layout,
        store=config.output.path,
        device=str(inputs.device),
        retries=config.execution.retries,
        area=inputs.area,
        streams=plan.worker_layout.streams,
        margin=inputs.locality.margin,
        edges=edges.without_class(inputs.locality.margin, config.tile),
        runtime_shape=inputs.runtime.shape,
        crop_side=inputs.cropping.side,
        mark=inputs.mark,
        picture=picture.choose_picture(config.output, source, plan.tiles.block, stored),
    )


def _fingerprint(opened: _Opened, inputs: PlanInputs, options: Resolved, moved: Fingerprint) -> Fingerprint:
    """A store keeps what it says; one that a frozen plan makes also says what plans of before do not know."""
    if opened.resumes and opened.stored:
        return dict(opened.stored["fingerprint"])
    current = fingerprint.resolved_fingerprint(opened.identity(inputs.network), options)
    return {**current, **opened.stored["fingerprint"], **moved} if opened.stored else current


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
