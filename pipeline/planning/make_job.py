"""The job of a plan: its recipe, what a worker is sent, and the fingerprint of its store."""

from __future__ import annotations

from pipeline.errors import SourceError
from pipeline.inference.block_task import BlockTask
from pipeline.inference.recipe import Recipe
from pipeline.inspect.memory import activation_memory
from pipeline.models.bn_folding import Folded
from pipeline.models.loaded import Loaded
from pipeline.models.probabilities import Activation
from pipeline.planning import activation, classes, edges, fingerprint, frozen_plan, picture, store_spec, workers
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.job import Job
from pipeline.planning.memory_format import choose_memory_format
from pipeline.planning.open_job import OpenedJob
from pipeline.planning.option import Resolved
from pipeline.planning.planner import PlanInputs
from pipeline.planning.types import Plan
from pipeline.postprocess.cleaning import resolve_cleaning
from pipeline.sources.wrappers.shared_reads import share_reads
from pipeline.store.spec import ClassRow


def make_job(
    opened: OpenedJob,
    network: Loaded,
    inputs: PlanInputs,
    folded: Folded,
    chosen: Activation,
    plan: Plan,
    cost: activation_memory.ActivationMemory | None,
) -> Job:
    """Put a job together.

    Parameters
    ----------
    opened
        What its config names.
    network
        As it was loaded, told how large its tiles may be.
    inputs, plan, cost
        What the plan was made from, the plan, and the memory that was measured for it.
    folded
        What became of batch norm.
    chosen
        What makes probabilities of logits.

    Raises
    ------
    StoreError
        The store is of another job.
    ConfigError
        The frozen plan is of another job.
    SourceError
        The area holds no pixel.
    """
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
    opened: OpenedJob, inputs: PlanInputs, folded: Folded, chosen: Activation, plan: Plan
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


def _task(opened: OpenedJob, inputs: PlanInputs, plan: Plan, recipe: Recipe) -> BlockTask:
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


def _fingerprint(opened: OpenedJob, inputs: PlanInputs, options: Resolved, moved: Fingerprint) -> Fingerprint:
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
