"""What was measured of runtimes beside torch: the facts by which ``execution.runtime: auto`` takes one.

``python -m benchmarks.runtimes`` measures the rows anew, on whatever machine it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.inspect.instructions import torch_instructions
from pipeline.runtime.record_files import torch_release

if TYPE_CHECKING:
    from pipeline.interfaces import Device


MINIMUM_PIXELS = 2**26
"""Pixels of a raster from which on a gain repays conversion, trial and compiled graphs, some CPU seconds in all."""
MINIMUM_GAIN = 0.9
"""CPU seconds of a network in a runtime, as a share of those in torch, at most: what is less of a gain is eaten by the
start, and by tiles that are computed one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredNetwork:
    """One network, in torch and in a runtime by turns within one process: minima of some passes each."""

    network: str
    side: int
    """Of the square images, px."""
    cpu: float
    """CPU seconds in the runtime, as a share of those in torch."""
    error: float
    """Largest difference of logits, as a share of the largest."""
    operators: frozenset[str]
    """The runtime's names of its operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRuntime:
    """Measurements of one runtime on one kind of device."""

    device: str
    """torch's name of the kind."""
    instructions: str
    """Instructions of the CPU, as torch names them."""
    release: str
    """Of the runtime."""
    torch: str
    """Release of torch."""
    networks: tuple[MeasuredNetwork, ...]

    @property
    def gained(self) -> list[MeasuredNetwork]:
        """Those that gained enough."""
        return [row for row in self.networks if row.cpu <= MINIMUM_GAIN]

    def objection(self, operators: frozenset[str]) -> str | None:
        """Why no gain is known of a network of some operators; None where it is."""
        gained = frozenset[str]().union(*(row.operators for row in self.gained))
        if unknown := sorted(operators - gained):
            return f"no network with {', '.join(unknown[:3])} was measured to gain"
        slower = next((row for row in self.networks if row not in self.gained and row.operators <= operators), None)
        return None if slower is None else f"the network {slower.network}, of operators that it has, did not gain"


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


MEASURED: dict[str, tuple[MeasuredRuntime, ...]] = {
    "openvino": (
        MeasuredRuntime(
            device="cpu",
            instructions="AVX512",
            release="2026.4",
            torch="2.13",
            networks=(
                MeasuredNetwork(
                    network="unet",
                    side=1024,
                    cpu=0.96,
                    error=1e-7,
                    operators=_named(
                        "Add Broadcast Concat Constant Convert Convolution Interpolate MaxPool Multiply "
                        "Parameter Relu Reshape Result ShapeOf Subtract"
                    ),
                ),
                MeasuredNetwork(
                    network="fcn8s",
                    side=1024,
                    cpu=0.97,
                    error=0,
                    operators=_named(
                        "Add Broadcast Concat Constant Convert Convolution ConvolutionBackpropData MaxPool "
                        "Multiply Parameter Relu Reshape Result ShapeOf Subtract"
                    ),
                ),
                MeasuredNetwork(
                    network="dense",
                    side=1024,
                    cpu=0.94,
                    error=0,
                    operators=_named(
                        "Add Broadcast Concat Constant Convolution Parameter Relu Reshape Result ShapeOf Subtract"
                    ),
                ),
                MeasuredNetwork(
                    network="inverted residual, ReLU6",
                    side=1024,
                    cpu=0.91,
                    error=1e-7,
                    operators=_named(
                        "Add Broadcast Clamp Concat Constant Convert Convolution Divide Gather "
                        "GroupConvolution Interpolate MaxPool Multiply Parameter Reshape Result ShapeOf Slice "
                        "Subtract Unsqueeze"
                    ),
                ),
                MeasuredNetwork(
                    network="inverted residual, SiLU",
                    side=1024,
                    cpu=1.06,
                    error=3e-7,
                    operators=_named(
                        "Add Broadcast Concat Constant Convert Convolution Divide Gather GroupConvolution "
                        "Interpolate MaxPool Multiply Parameter Reshape Result ShapeOf Slice Subtract Swish "
                        "Unsqueeze"
                    ),
                ),
                MeasuredNetwork(
                    network="dilated",
                    side=1024,
                    cpu=0.98,
                    error=0,
                    operators=_named(
                        "Add Broadcast Concat Constant Convolution PRelu Parameter Reshape Result ShapeOf Subtract"
                    ),
                ),
                MeasuredNetwork(
                    network="transposed",
                    side=1024,
                    cpu=0.95,
                    error=0,
                    operators=_named(
                        "Add AvgPool Broadcast Concat Constant Convolution ConvolutionBackpropData Parameter "
                        "Relu Reshape Result ShapeOf Subtract"
                    ),
                ),
            ),
        ),
    ),
}
"""By runtime. OpenVINO 2026.4.1 beside torch 2.13.0 on two cores of an AMD EPYC with AVX512, four rounds each."""


def measurements(name: str, release: str, device: Device) -> MeasuredRuntime | None:
    """What was measured of a release of a runtime on a device such as the one here, beside torch's release here.

    None where nobody measured that.
    """
    machine = device.type, release, torch_release().partition("+")[0].rpartition(".")[0]
    rows = [row for row in MEASURED.get(name, ()) if (row.device, row.release, row.torch) == machine]
    return next((row for row in rows if row.instructions == torch_instructions()), None)
