"""CPU seconds of networks in a runtime beside torch, by which ``execution.runtime: auto`` decides.

    python -m benchmarks.runtimes [--runtime openvino] [--side 1024] [--rounds 4] [--network NAME …]

Both run by turns in one process, under the settings of the command for the allocator and for OpenMP, on all cores, on
the same noise; figures are minima of the rounds. Torch has batch norm folded and channels_last, as a run has. Prints
the rows of `pipeline/planning/runtimes/table.py` for this machine.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import nn

from benchmarks.performance.networks import CLASSES, FCN8s, UNet, dense
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from pipeline.models.runtimes import KINDS
from pipeline.runtime import resources
from pipeline.runtime.allocator import reexec_with_malloc_settings
from pipeline.runtime.device import fixed_numerics

BANDS = 4
CPU = torch.device("cpu")


class InvertedResidual(nn.Module):
    """A block of MobileNetV2 (Sandler et al., 2018): wider, depthwise, narrow again."""

    def __init__(self, width: int, activation: type[nn.Module]) -> None:
        super().__init__()
        wide = 4 * width
        self.body = nn.Sequential(
            *(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), activation()),
            *(nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), activation()),
            *(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width, rows, cols) → the same."""
        y: torch.Tensor = x + self.body(x)
        return y


def inverted(bands: int, activation: type[nn.Module] = nn.ReLU6) -> nn.Module:
    """Four blocks at a quarter of the resolution."""
    blocks = (InvertedResidual(24, activation) for _ in range(4))
    stem, head = nn.Conv2d(bands, 24, 3, stride=2, padding=1), nn.Conv2d(24, CLASSES, 1)
    return nn.Sequential(
        stem, activation(), nn.MaxPool2d(2), *blocks, head, nn.Upsample(scale_factor=4.0, mode="bilinear")
    )


def dilated(bands: int) -> nn.Module:
    """Dilated convolutions at full resolution, between which the slope below 0 leaks."""
    layers = [nn.Sequential(nn.Conv2d(24, 24, 3, padding=d, dilation=d), nn.LeakyReLU(0.1)) for d in (1, 2, 4, 8)]
    return nn.Sequential(nn.Conv2d(bands, 24, 3, padding=1), *layers, nn.Conv2d(24, CLASSES, 1))


class TransposedUNet(nn.Module):
    """Two levels, with transposed convolutions and average pooling."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(bands, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.up, self.head = nn.ConvTranspose2d(32, 16, 2, 2), nn.Conv2d(32, CLASSES, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → (n, classes, rows, cols)."""
        full = torch.relu(self.first(x))
        half = torch.relu(self.second(nn.functional.avg_pool2d(full, 2)))
        y: torch.Tensor = self.head(torch.cat([self.up(half), full], 1))
        return y


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNet(BANDS),
    "fcn8s": lambda: FCN8s(BANDS),
    "dense": lambda: dense(BANDS, 16),
    "inverted residual, ReLU6": lambda: inverted(BANDS),
    "inverted residual, SiLU": lambda: inverted(BANDS, nn.SiLU),
    "dilated": lambda: dilated(BANDS),
    "transposed": lambda: TransposedUNet(BANDS),
}


def main(
    runtime: str = "openvino",
    side: int = 1024,
    rounds: int = 4,
    network: Annotated[list[str] | None, typer.Option(help="All by default.")] = None,
) -> None:
    """Print a row for each network."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command has it, before it starts itself again
    reexec_with_malloc_settings()
    row = KINDS[runtime]
    instructions = torch.backends.cpu.get_cpu_capability()
    print(f"{runtime} {row.release()}, torch {torch.__version__}, {instructions}, {resources.cores()} threads")
    for name in network or NETWORKS:
        print(compared(name, runtime, side, rounds), flush=True)


def compared(name: str, runtime: str, side: int, rounds: int) -> str:
    """The row of a network."""
    torch.manual_seed(0)
    module = NETWORKS[name]().eval()
    native = fold(Loaded(module=module, identity_fields={"network": name})).network
    row = KINDS[runtime]
    assert row.facts is not None, f"auto never takes {runtime}"
    image = torch.randn(1, BANDS, side, side).contiguous(memory_format=torch.channels_last)
    with fixed_numerics("float32", resources.cores(), CPU):
        other = row.run(native, (1, BANDS, 128, 128))
        reference = native(image)
        error = float((reference - other(image)).abs().max() / reference.abs().max())
        seconds = [(cpu_seconds(native, image), cpu_seconds(other, image)) for _ in range(rounds)]
    by_torch, by_runtime = (min(column) for column in zip(*seconds, strict=True))
    operators = sorted(row.facts(other).operators)
    return (
        f'MeasuredNetwork(network="{name}", side={side}, cpu={by_runtime / by_torch:.2f}, error={error:.0e}, '
        f'operators=frozenset("{" ".join(operators)}".split())),  # {by_torch:.2f} s and {by_runtime:.2f} s'
    )


def cpu_seconds(network: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor) -> float:
    """Of all threads, for one pass."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    network(image)
    after = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(0.05)  # threads that spin for more work come to rest
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    typer.run(main)
