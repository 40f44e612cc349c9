"""Networks that this process has opened for jobs: with torch, or for arrays alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.geometry.margin import Margin
from pipeline.inference.array_inference import ArrayInference
from pipeline.inference.recipe import Recipe
from pipeline.interfaces import Network
from pipeline.locations import Place
from pipeline.models import load, model_with_file
from pipeline.models.array_network import ArrayNetwork, OpenedRun
from pipeline.models.bn_folding import fold
from pipeline.models.cropping.movement import Unsupported
from pipeline.models.cropping.plan import Cropping
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import RecordedNetwork, recorded_network
from pipeline.models.runtimes import KINDS as RUNTIMES
from pipeline.models.runtimes.runtime import Runtime
from pipeline.runtime.clock import timed_stage
from pipeline.runtime.device import CpuDevice, fixed_numerics, no_jit_reoptimisation, select_device

if TYPE_CHECKING:
    import torch

    from pipeline.inference.infer import Inference
    from pipeline.interfaces import Device
    from pipeline.models.cropping.network import CroppedNetwork


JobInference = TypeVar("JobInference")


class NetworkTask(Protocol):
    """What a block task says of its network; `pipeline.inference.block_task.BlockTask` explains each."""

    @property
    def model(self) -> ModelConfig:
        """With nothing left open."""

    @property
    def recipe(self) -> Recipe:
        """What decides pixels beside geometry and weights."""

    @property
    def store(self) -> Place:
        """By which a process knows the job."""

    @property
    def device(self) -> str:
        """As torch names it."""

    @property
    def margin(self) -> Margin | None:
        """Of an unpadded network."""

    @property
    def mark(self) -> str:
        """Of the network that the job was planned with."""

    @property
    def runtime_shape(self) -> tuple[int, ...]:
        """Of the image with which a runtime follows the network's code."""

    @property
    def crop_side(self) -> int:
        """Side of the image on which a network is seen whose halos are cropped, px."""

    @property
    def on_arrays(self) -> bool:
        """Whether blocks are computed without torch."""


_inferences: dict[Place, Inference] = {}
_array_inferences: dict[Place, ArrayInference] = {}
_opening = threading.Lock()
MAX_KEPT_JOBS = 2
"""Jobs whose networks a process keeps that has them from their plans: one after the other, or two at once."""


def drop_network() -> None:
    """Let go of the network that this process has loaded: a run to come may have another under the same names."""
    _inferences.clear()
    _array_inferences.clear()


def reuse_network(task: NetworkTask, network: Network, cropped: Cropping | None = None) -> None:
    """Compute blocks by a network that this process has already, and has seen where its halos are cropped."""
    if task.on_arrays:
        loaded = cast(Loaded, network)
        recorded = cropped is None or isinstance(loaded, RecordedNetwork)
        running = loaded if recorded else cast("CroppedNetwork", cropped).network
        _keep(_array_inferences, task.store, _array_inference(task, running))
    else:
        reuse_in_torch(task, network, cropped)


def reuse_in_torch(task: NetworkTask, network: Network, cropped: Cropping | None = None) -> None:
    """Let `inference` give a network that this process has loaded already."""
    network_of_parts = cast("CroppedNetwork | None", cropped)  # what was seen with torch
    _keep(_inferences, task.store, _inference(network, task, select_device(task.device), network_of_parts))


def _keep(opened: dict[Place, JobInference], store: Place, inference: JobInference) -> None:
    """Keep a job's network, and let go of those of the oldest jobs."""
    opened.pop(store, None)
    for oldest in list(opened)[: len(opened) - MAX_KEPT_JOBS + 1]:
        opened.pop(oldest, None)
    opened[store] = inference


def opened_inference(task: NetworkTask) -> Inference | ArrayInference | None:
    """What `block_inference` gives, where it is open."""
    return _array_inferences.get(task.store) if task.on_arrays else _inferences.get(task.store)


def block_inference(task: NetworkTask) -> Inference | ArrayInference:
    """What computes the blocks of a task, opened once per process."""
    if not task.on_arrays:
        return inference(task)
    with _opening:
        if task.store not in _array_inferences:
            with timed_stage("load"):
                opened = _array_inference(task, _recorded(task) or _loaded(task))
            _array_inferences.clear()
            _array_inferences[task.store] = opened
        return _array_inferences[task.store]


def inference(task: NetworkTask) -> Inference:
    """The network of a task with torch, loaded once per process; also what looks at the logits of a task on arrays."""
    with _opening:
        if task.store not in _inferences:
            network = _loaded(task)
            _inferences.clear()
            _inferences[task.store] = _inference(network, task, select_device(task.device))
        return _inferences[task.store]


def _loaded(task: NetworkTask) -> Loaded:
    """The network of a task, folded where the job has it so."""
    bands = task.recipe.normalisation.channels
    with no_jit_reoptimisation(), timed_stage("load"):
        network = load(task.model, bands, select_device(task.device))
        _check_mark(network, task)
        network = network if task.margin is None else network.with_margin(task.margin)
    return fold(network).network if task.recipe.fold else network


def _recorded(task: NetworkTask) -> RecordedNetwork | None:
    """The same without torch; None where nothing was recorded of it."""
    bands = task.recipe.normalisation.channels
    network = recorded_network(model_with_file(task.model, bands), bands)
    if network is None:
        return None
    _check_mark(network, task)
    return replace(network, folded=task.recipe.fold)


def _array_inference(task: NetworkTask, network: Loaded) -> ArrayInference:
    """By a network that was loaded; by a recorded one, where its runtime kept what it was made of."""
    runtime = _runtime(task, network, CpuDevice())
    assert runtime.arrays is not None, "asked only of a task on arrays"
    opened = runtime.arrays(network, task.runtime_shape)
    if opened is None:
        return _array_inference(task, _loaded(task))
    cropping = _array_cropping(task, opened) if task.recipe.crop else None
    return ArrayInference(ArrayNetwork(loaded=network, run=opened.run, cropping=cropping), task.recipe)


def _array_cropping(task: NetworkTask, opened: OpenedRun) -> Cropping:
    assert opened.crop is not None, "a recipe with cropping names a runtime that crops"
    try:
        return opened.crop((1, task.recipe.normalisation.channels, task.crop_side, task.crop_side))
    except Unsupported as error:
        raise _uncroppable(error) from error


def _check_mark(network: Loaded, task: NetworkTask) -> None:
    """Raise ModelError where a process finds another network than the job was planned with.

    Such a process joins later, or lies elsewhere.
    """
    if task.mark and network.mark != task.mark:
        raise ModelError(
            f"The network of {task.model.place} is another one here than when this run "
            f"was planned: its weights, code or arguments were "
            "changed meanwhile, or this worker's machine has other files. Put them back, or run again, "
            "which plans anew."
        )


def _inference(
    network: Network, task: NetworkTask, device: torch.device, cropped: CroppedNetwork | None = None
) -> Inference:
    from pipeline.inference.infer import Inference

    if task.recipe.crop and cropped is not None:
        return Inference(cropped.network, task.recipe, device, cropped)
    loaded = cast(Loaded, network)
    runtime = _runtime(task, loaded, device)
    loaded = loaded if runtime.native else runtime.run(loaded, task.runtime_shape)
    return Inference(loaded, task.recipe, device, _cropped(loaded, task, device) if task.recipe.crop else None)


def _runtime(task: NetworkTask, network: Loaded, device: Device) -> Runtime:
    """What runs a network; raises ModelError where it cannot here as the store was made."""
    name = task.recipe.runtime
    runtime = RUNTIMES[name]
    if runtime.native:
        return runtime
    reason = runtime.obstacle(network, device)
    if reason is not None:
        raise ModelError(f"execution.runtime {name} cannot run the network here: {reason}.")
    if runtime.release() != task.recipe.runtime_release:
        raise ModelError(
            f"The store was made with {name} {task.recipe.runtime_release}, and {name} {runtime.release()} is "
            f"installed here, which rounds otherwise. Install the same release."
        )
    return runtime


def _cropped(network: Loaded, task: NetworkTask, device: torch.device) -> CroppedNetwork:
    """Seen by each process for itself, on a small image."""
    from pipeline.models.cropping.network import crop_image

    recipe, crop = task.recipe, RUNTIMES[task.recipe.runtime].crop
    assert crop is not None, "a recipe with cropping names a runtime that crops"
    image = crop_image(recipe.normalisation.channels, task.crop_side, device)
    with fixed_numerics(recipe.precision, recipe.threads, device):
        try:
            return crop(network, image)
        except Unsupported as error:
            raise _uncroppable(error) from error


def _uncroppable(error: Unsupported) -> ModelError:
    return ModelError(
        f"The store was made by a network whose halos are cropped on their way through it, but here {error}. "
        f"Use the releases of torch and of the runtime that made the store, or run with --fresh, which deletes "
        f"it and starts over."
    )
