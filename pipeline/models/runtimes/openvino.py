"""``execution.runtime: openvino``: OpenVINO's kernels, on CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from pipeline.models.array_network import OpenedRun
from pipeline.models.cropping.plan import Cropping
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.models.runtimes.runtime import Facts, Library, Runtime, RuntimeMemory

if TYPE_CHECKING:
    import torch

    from pipeline.interfaces import Device
    from pipeline.models.cropping.network import CroppedNetwork
    from pipeline.models.openvino.graphs import CompiledGraphs
    from pipeline.models.openvino.network import OpenVinoNetwork


_LIBRARY = Library(name="OpenVINO", package="openvino", extra="openvino", kind="cpu", devices="CPUs")


def _obstacle(network: Loaded, device: Device) -> str | None:
    return _LIBRARY.obstacle(network, device) or (_onnx_obstacle(network) if network.runs_outside else None)


def _onnx_obstacle(network: Loaded) -> str | None:
    if len(network.inputs) > 1:
        return "an ONNX file of several inputs is not run by OpenVINO yet"
    if network.input_dtype != "float32":
        return "the ONNX file takes other numbers than float32, which OpenVINO is not given"
    return None


def _run(network: Loaded, shape: Sequence[int]) -> Loaded:
    from pipeline.models.openvino.network import run_by_openvino

    return run_by_openvino(network, shape)


def _module(network: Loaded) -> OpenVinoNetwork:
    from pipeline.models.openvino.network import OpenVinoNetwork

    assert isinstance(network.module, OpenVinoNetwork), "asked only of a network that OpenVINO runs"
    return network.module


def _facts(network: Loaded) -> Facts:
    converted = _module(network).converted
    return Facts(operators=converted.operators, fixed_numbers=converted.fixed_numbers)


def _cropped(network: Loaded, image: torch.Tensor) -> CroppedNetwork:
    """What it does is read from its graph: nothing is computed."""
    from pipeline.models.cropping.network import CroppedNetwork

    module = _module(network)
    cropping = _cropping(module.graphs, tuple(image.shape))
    return CroppedNetwork(network=network, record=cropping.record, compute=module, factor=cropping.factor)


def _cropping(graphs: CompiledGraphs, shape: Sequence[int]) -> Cropping:
    from pipeline.models.openvino.cropping.record import record_graph

    converted = graphs.converted
    return Cropping.of(record_graph(converted.model, converted.output, tuple(shape)), shape)


def _arrays(network: Loaded, shape: Sequence[int]) -> OpenedRun | None:
    """By graphs that were compiled already, or by the graph that was kept of a recorded network."""
    from pipeline.models.openvino.graphs import CompiledGraphs
    from pipeline.models.openvino.kept_graph import recorded_graph

    if isinstance(network, RecordedNetwork):
        if network.opened is not None:
            return network.opened
        converted = recorded_graph(network, shape)
        if converted is None:
            return None
        graphs = CompiledGraphs(converted)
    else:
        graphs = _opened_graphs(network, shape)
    return OpenedRun(run=graphs.run, crop=partial(_cropping, graphs))


def _opened_graphs(network: Loaded, shape: Sequence[int]) -> CompiledGraphs:
    from pipeline.models.openvino.network import OpenVinoNetwork

    running = network if isinstance(network.module, OpenVinoNetwork) else _run(network, shape)
    return _module(running).graphs


def _memory(network: Loaded, shape: Sequence[int], other: Sequence[int], threads: int) -> RuntimeMemory:
    from pipeline.models.openvino.memory import measure_memory

    return measure_memory(_module(network).converted, shape, other, threads)


OPENVINO_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=_run,
    noun=_LIBRARY.name,
    single=True,
    extra=_LIBRARY.extra,
    package=_LIBRARY.package,
    release=_LIBRARY.release,
    facts=_facts,
    crop=_cropped,
    memory=_memory,
    arrays=_arrays,
)
