"""What a plan is made from: the network as it runs, folded, in its precision and its runtime, cropped or not."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from pipeline.interfaces import Locality
from pipeline.models.bn_folding import Folded
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.planning import folding, precisions
from pipeline.planning.cropping import ChosenCropping, choose_cropping
from pipeline.planning.open_job import OpenedJob
from pipeline.planning.planner import PlanInputs
from pipeline.planning.runtimes.choice import choose_runtime
from pipeline.planning.runtimes.request import ChosenRuntime, RuntimeRequest
from pipeline.runtime.record_files import NotRecorded


def plan_inputs(opened: OpenedJob, network: Loaded, locality: Locality) -> tuple[PlanInputs, Folded]:
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


def _cropping(opened: OpenedJob, inputs: PlanInputs) -> ChosenCropping:
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


def _runtime(opened: OpenedJob, folded: Folded, locality: Locality, precision: str) -> ChosenRuntime:
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
