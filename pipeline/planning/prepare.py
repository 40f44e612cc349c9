"""From a config to a job: open, measure, plan; nothing is written.

::

    config, store ──► source, areas, network ──► locality ──► plan ──► job
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.config import Config, ModelConfig, ToleranceConfig
from pipeline.inference.normalise import Adjustment, Normalisation
from pipeline.inspect.memory import activation_memory
from pipeline.interfaces import Source
from pipeline.models import model_with_file
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import recorded_network
from pipeline.planning import activation, classes, limits, planner, previous_store
from pipeline.planning.job import Job
from pipeline.planning.load_network import network_on_source
from pipeline.planning.locate_network import locate_network
from pipeline.planning.make_job import make_job
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.planning.open_job import JobRequest, OpenNetwork, measured_locality, open_job
from pipeline.planning.plan_inputs import plan_inputs
from pipeline.planning.planner import PlanInputs
from pipeline.planning.types import Plan
from pipeline.runtime.collection import without_collection
from pipeline.runtime.device import cpu_without_torch, no_jit_reoptimisation, run_on_device_thread, select_device
from pipeline.runtime.record_files import NotRecorded, records_alone

if TYPE_CHECKING:
    from pipeline.interfaces import Device


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
    request = JobRequest(config=config, fresh=fresh, same_source=same_source, stretch=stretch, silent=silent)
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
def _with_torch(request: JobRequest) -> Job:
    return _prepare(request, select_device(request.config.execution.device), network_on_source)


def _from_records(request: JobRequest, device: Device) -> Job | None:
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


def _prepare(request: JobRequest, device: Device, open_network: OpenNetwork) -> Job:
    config = request.config
    existing = previous_store.read_plan(config.output.path, request.fresh)
    located = locate_network(config, existing, request.silent)
    opened = open_job(request, located, existing, device, open_network)
    config = opened.config
    locality = measured_locality(opened)
    network = locality.apply_to(opened.network)
    inputs, folded = plan_inputs(opened, network, locality)
    chosen = activation.choose_activation(
        opened.resolved.model.output, locality, opened.fingerprint, has_classes="mask" in config.output.layers
    )
    # before the plan: a wrong list is the likelier mistake
    rows = classes.rows_of_job(opened.resolved, config, locality.classes)
    inputs, plan, cost = _plan(inputs, len(rows))
    return make_job(opened, network, inputs, folded, chosen, plan, cost)


def _plan(inputs: PlanInputs, rows: int) -> tuple[PlanInputs, Plan, activation_memory.ActivationMemory | None]:
    """The plan, again with smaller tiles as long as the device takes none of that size."""
    plan, cost = planner.make_plan(inputs, rows)
    while (smaller := limits.with_size_limit(inputs, plan)) is not None:
        inputs = smaller
        plan, cost = planner.make_plan(inputs, rows)
    return inputs, plan, cost
