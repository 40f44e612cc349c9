"""The reference of a window: one forward pass over it with a halo much wider than that of the run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import Tile
from pipeline.geometry.span import round_down, round_up
from pipeline.geometry.window import Window
from pipeline.inference.forward import Forward
from pipeline.inference.opened_networks import inference
from pipeline.inference.read import read_with_retries
from pipeline.interfaces import Locality
from pipeline.planning import memory
from pipeline.planning.job import Job
from pipeline.planning.types import Plan
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, run_on_device_thread, select_device

REFERENCE_WINDOW_SIDE = 128
"""Longest side of a window, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceHalo:
    """How wide a reference looks around a window."""

    side: int
    """Of the windows, px."""
    halo: int
    """Px around a window, aligned outwards to the stride."""
    target: int
    """The halo that memory or the network's largest input may have kept it from."""
    smallest: int
    """No tile is smaller, px."""
    minimum: int
    """The halo below which nothing can be judged, px."""

    @property
    def is_sufficient(self) -> bool:
        """Whether it looks at least as far as the run and the network do."""
        return self.halo >= self.minimum

    def tile(self, job: Job, window: Window) -> Tile:
        """The tile of a window, clipped at the raster's edges as the tiles of the run are."""
        tiles = replace(
            job.plan.tiles,
            halo=self.halo,
            core=round_up(max(job.plan.tiles.height, job.plan.tiles.width), job.plan.tiles.multiple),
        )
        rows, cols = (
            next(replace(tiles, minimum=self.smallest).axis(k).tiles(span)).read
            for k, span in enumerate((window.rows, window.cols))
        )
        return Tile(read=Window.of(rows, cols), keep=window)


def reference_halo(job: Job) -> ReferenceHalo:
    """As wide as is needed for a halo to be beyond doubt, as far as memory and the network allow it."""
    tiles, multiple, largest = job.plan.tiles, job.plan.tiles.multiple, job.network.accepts.maximum
    longest = (
        max(math.isqrt(_room(job.plan)), job.task.layout.rows.largest)
        if largest is None
        else min(largest, math.isqrt(_room(job.plan)))
    )
    target, minimum = (
        target_halo(job.locality, tiles.halo, tiles.size, multiple),
        minimum_halo(job.locality, tiles.halo, tiles.size),
    )
    side = max(min(REFERENCE_WINDOW_SIDE, tiles.block, longest // 2), 1)
    # the window whose halo is just wide enough
    narrowed = round_down(longest - multiple - 2 * round_up(minimum, multiple), multiple)
    side = min(side, narrowed) if narrowed > 0 else side
    halo = max(min(target, round_down((longest - round_up(side, multiple) - multiple) // 2, multiple)), 0)
    smallest = max(tiles.minimum, 1 if tiles.halo is not None else tiles.size)
    return ReferenceHalo(side=side, halo=halo, target=target, smallest=smallest, minimum=minimum)


def target_halo(locality: Locality, halo: int | None, size: int, multiple: int) -> int:
    """Px: more than the radius and twice the run's halo.

    Where the reach has no bound, so that the tile is twice as long as the run's.
    """
    if locality.radius is not None and locality.verdict != "not local":
        return round_up(max(locality.radius.largest, 2 * (halo or 0)), multiple) + multiple
    return round_up(size if halo is None else max(size, 2 * halo), multiple)


def minimum_halo(locality: Locality, halo: int | None, size: int) -> int:
    """Px: the run's halo and the radius.

    Where the reach has no bound, so that the reference is longer than a tile of the run.
    """
    if locality.radius is not None and locality.verdict != "not local":
        return max(locality.radius.largest, halo or 0)
    return size // 2 if halo is None else halo + 1


def infer(job: Job, reference: ReferenceHalo, window: Window) -> npt.NDArray[np.float32]:
    """What one tile says of a window, (classes, rows, cols) float32.

    Logits, or probabilities where the run averages those.
    """
    tile, recipe, device = reference.tile(job, window), job.task.recipe, select_device(job.task.device)
    pixels = read_with_retries(job.source, tile.read, job.task.retries)

    def answer() -> npt.NDArray[np.float32]:
        network = inference(job.task).network
        # onnxruntime opens a session for each number of threads
        threads = recipe.threads if network.leaves_torch else resources.cores()
        forward = Forward(
            network=network,
            device=device,
            normalisation=recipe.normalisation,
            decoding=recipe.decoding,
            probabilities=recipe.averages_probabilities,
            augment=recipe.augment,
            batch=1,
        )
        with fixed_numerics(recipe.precision, threads, device):
            logits: npt.NDArray[np.float32] = (
                next(logits for _, logits in forward(pixels, tile.read, [tile])).cpu().numpy()
            )
            return logits

    return run_on_device_thread(answer)


def _room(plan: Plan) -> int:
    """Pixels of one tile that fit the memory beside what blocks in flight hold, or a device with memory of its own."""
    tile_buffers = memory.device_buffers(plan.costs, 2**20, 0, plan.tiles.turned, plan.tiles.averages_probabilities)
    if plan.worker_layout.device is not None:
        return plan.worker_layout.device * 2**20 // sum(tile_buffers.values())
    rest = sum(size for name, size in plan.buffers.items() if name not in tile_buffers)
    return int((plan.budget - rest) * 2**20 / sum(tile_buffers.values()))
