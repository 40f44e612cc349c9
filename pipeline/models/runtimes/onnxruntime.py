"""``execution.runtime: onnxruntime``: ONNX files, which nothing else runs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.models.array_network import OpenedRun
from pipeline.models.loaded import Loaded
from pipeline.models.onnx_runtime.arrays import OnnxSession
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.models.runtimes.runtime import Runtime
from pipeline.runtime import resources

if TYPE_CHECKING:
    from pipeline.interfaces import Device


def _obstacle(network: Loaded, _: Device) -> str | None:
    if network.runs_outside:
        return None
    return (
        "onnxruntime runs ONNX files, and this network is one of torch; save it with torch.onnx.export, and give that "
        "file with model.kind: onnx"
    )


def _arrays(network: Loaded, _: Sequence[int]) -> OpenedRun:
    """By the session that the network has already, or one of its file."""
    if isinstance(network, RecordedNetwork):
        return network.opened or _opened(network)
    sessions: OnnxSession = network.module.sessions  # type: ignore[assignment]  # those of its module
    return OpenedRun(run=sessions.run)


def _opened(network: RecordedNetwork) -> OpenedRun:
    """With its weights and onnxruntime in memory, so that a plan counts them."""
    session = OnnxSession(network.path, network.identity_fields["output"])
    session.with_threads(resources.cores())
    return OpenedRun(run=session.run)


ONNX_RUNTIME = Runtime(
    obstacle=_obstacle,
    run=lambda network, _: network,
    noun="a network of onnxruntime",
    single=False,
    native=True,
    extra="onnx",
    arrays=_arrays,
)
