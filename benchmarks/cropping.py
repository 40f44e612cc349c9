"""CPU seconds and memory of tiles whose halos are cropped on their way, beside tiles that are computed whole.

    python -m benchmarks.cropping [--core 512 --core 1024] [--rounds 3] [--network NAME …]

Both run by turns in one process, under the settings of the command for the allocator and for OpenMP, on all cores, on
the same noise; figures are minima of the rounds. What the plan foretells stands beside what was measured.
"""

from __future__ import annotations

import os
from typing import Annotated

import torch
import typer

from benchmarks.performance.networks import FCN8s, UNet, dense
from benchmarks.runtimes import BANDS, CPU, cpu_seconds
from pipeline.geometry.window import Window
from pipeline.inspect.memory.activation_memory import start_profiler
from pipeline.models.bn_folding import fold
from pipeline.models.cropping.network import crop_image, record_cropping
from pipeline.models.loaded import Loaded
from pipeline.runtime import resources
from pipeline.runtime.allocator import reexec_with_malloc_settings
from pipeline.runtime.backends import backend_of
from pipeline.runtime.device import fixed_numerics

NETWORKS = {
    "unet": (lambda: UNet(BANDS), 112),
    "fcn8s": (lambda: FCN8s(BANDS), 128),
    "dense": (lambda: dense(BANDS, 16), 48),
}
"""With the halo of each, px."""


def main(
    core: Annotated[list[int] | None, typer.Option(help="px; 512 and 1024 by default.")] = None,
    rounds: int = 3,
    network: Annotated[list[str] | None, typer.Option(help="All by default.")] = None,
) -> None:
    """Print a row for each network and core."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command has it, before it starts itself again
    reexec_with_malloc_settings()
    start_profiler()
    print("network, core, tile | CPU s whole, cropped | share measured, foretold | memory measured, foretold")
    for name in network or NETWORKS:
        for size in core or [512, 1024]:
            print(compared(name, size, rounds), flush=True)


def compared(name: str, core: int, rounds: int) -> str:
    """The row of a network and a core."""
    make, halo = NETWORKS[name]
    torch.manual_seed(0)
    whole = fold(Loaded(module=make().eval(), identity_fields={"network": name})).network
    side, keep = core + 2 * halo, Window(row=halo, col=halo, height=core, width=core)
    image = torch.randn(1, BANDS, side, side).contiguous(memory_format=torch.channels_last)
    with fixed_numerics("float32", resources.cores(), CPU):
        cropped = record_cropping(whole, crop_image(BANDS, 128, CPU))
        foretold, peak = cropped.cost(side, side, keep), backend_of(CPU).peak
        seconds = [
            (cpu_seconds(whole, image), cpu_seconds(lambda x: cropped(x, keep), image)) for _ in range(rounds + 1)
        ][1:]
        memory = peak(lambda x: cropped(x, keep), image)[0] / peak(whole, image)[0]
    slow, fast = (min(column) for column in zip(*seconds, strict=True))
    return (
        f"{name}, {core}, {side} | {slow:.2f}, {fast:.2f} | {fast / slow:.2f}, {foretold.work:.2f} | "
        f"{memory:.2f}, {foretold.memory:.2f}"
    )


if __name__ == "__main__":
    typer.run(main)
