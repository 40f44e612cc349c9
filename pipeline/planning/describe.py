"""A job in words and numbers: what `plan` prints and the report keeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.inference.normalise import Adjustment
from pipeline.inspect.report.inputs import input_facts
from pipeline.models.ensemble import Ensemble
from pipeline.planning.aoi_cost import AoiCost, cost_of_aoi
from pipeline.planning.job import Job
from pipeline.planning.member_text import described_members
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.option import option_sentences, plan_values
from pipeline.planning.options import OPTIONS
from pipeline.planning.sameness import source_change
from pipeline.planning.types import VIEWS_PER_TILE
from pipeline.runtime.resources import human
from pipeline.sources.only.area import RequestedArea

STORED = 4 / 3
"""Bytes stored per byte of full resolution: overviews add a third."""


def describe(job: Job) -> dict[str, Any]:
    """Everything that was decided, as plain values."""
    tiles, cost = job.plan.tiles, _cost(job)
    work = _work(job, cost)
    return {
        "raster": _raster(job),
        "network": _network(job),
        "halo": {"px": tiles.halo, "exact": tiles.exact, "why": tiles.why},
        "tile": _tile(job),
        "blocks": _blocks(job),
        "postprocess": None if job.cleaning is None else [step.sentence for step in job.cleaning.steps],
        "area": _described_area(job.task.area, cost, _pixels(job)) if job.task.area else None,
        "arithmetic_overhead": round(work, 4),
        "cropping": {"why": job.cropping, "arithmetic": round(work * job.plan.cropped_work, 4)},
        "recomputed": round(job.task.layout.blend_recompute_share(), 4),
        "read_amplification": round(cost.read / cost.requested, 4),
        "reading": _reading(job),
        "memory": _memory(job),
        "device_memory": _on_device(job),
        "output_bytes_before_compression": _output_bytes(job, cost),
        "exports": _exports(job),
        "estimated_seconds": _seconds(job, cost, work),
        **plan_values(OPTIONS, job.resolved, tile=False),
        "streams": job.plan.worker_layout.streams,
        "engine": job.config.execution.engine,
        **({"values": asdict(job.spec.values)} if job.spec.values.channels else {}),
    }


def _raster(job: Job) -> dict[str, Any]:
    grid = job.source.grid
    return {
        "height": grid.height,
        "width": grid.width,
        "bands": job.source.bands,
        "dtype": str(job.source.dtype),
        "crs": grid.code or grid.wkt,
        "notes": list(job.source.notes),
        "transform": option_sentences(OPTIONS, job.resolved).get("model.input.transform"),
        **({} if job.stretch is None else {"normalise": _normalise(job.stretch)}),
        "moved": source_change(job),
    }


def _network(job: Job) -> dict[str, Any]:
    recipe, members = job.task.recipe, described_members(job)
    return {
        "verdict": job.locality.verdict,
        "stride": job.locality.stride,
        "radius": _radius(job),
        **({"inputs": input_facts(job.network, job.locality)} if job.network.inputs else {}),
        "blame": list(job.locality.blame),
        "notes": list(job.network.notes),
        "fold": job.fold,
        "compile": recipe.compile,
        "runtime": " ".join(filter(None, (recipe.runtime, recipe.runtime_release))),
        "runtime_choice": job.runtime_choice,
        "remarks": list(job.remarks),
        **({"description": list(job.config.model.described)} if job.config.model.described else {}),
        "address": job.config.model.address,
        "revision": list(job.revision),
        **({} if members is None else {"members": members}),
    }


def _tile(job: Job) -> dict[str, Any]:
    return {
        "size": job.plan.tiles.size,
        "core": job.plan.tiles.core,
        **plan_values(OPTIONS, job.resolved, tile=True),
        **({"averaged": "probabilities"} if isinstance(job.network, Ensemble) else {}),
    }


def _blocks(job: Job) -> dict[str, Any]:
    tiles = job.plan.tiles
    return {
        "size": tiles.block,
        "count": job.blocks,
        "of": job.task.layout.count,
        "in_flight": job.plan.workers,
        "processes": job.plan.worker_layout.processes,
        "chunk": tiles.chunk,
        "shard": tiles.shard,
    }


def _reading(job: Job) -> dict[str, Any]:
    sections = (job.config.source, *job.config.model.inputs.values())
    return {
        "file_block": list(job.source.block),
        "held": job.plan.sharing.cached_bytes,
        "swaths": job.plan.sharing.swaths,
        "warped": any(section.grid is not None for section in sections),
    }


def _memory(job: Job) -> dict[str, Any]:
    return {
        "budget": job.plan.budget,
        "projected": job.plan.peak,
        "buffers": job.plan.buffers,
        "quicker": None if job.plan.quicker is None else asdict(job.plan.quicker),
    }


def _output_bytes(job: Job, cost: AoiCost) -> int:
    per_pixel = sum(job.spec.layer(name).bytes_per_pixel for name in job.finished_spec.layers)
    return round(cost.requested * per_pixel * (STORED if job.spec.levels > 1 else 1))


def _seconds(job: Job, cost: AoiCost, work: float) -> int | None:
    """Of the network alone; None where nothing was measured."""
    if job.footprint is None:
        return None
    return round(cost.requested * work * job.plan.cropped_work * job.footprint.seconds_per_pixel)


def _work(job: Job, cost: AoiCost) -> float:
    """Pixels that go through the network for each pixel that is asked for, before halos are cropped."""
    return cost.network / cost.requested * VIEWS_PER_TILE[job.plan.tiles.augment]


def _pixels(job: Job) -> int:
    return job.source.grid.height * job.source.grid.width


def room(job: Job) -> int:
    """Bytes of tensors that are worth laying out before the first tile.

    Those of the largest tile that the job has, not of the largest that it may have.
    """
    return int(job.plan.tensors * min(_cost(job).largest / job.plan.tiles.size**2, 1.0))


def _normalise(stretch: Adjustment) -> dict[str, Any]:
    """Numbers of the raster, how they were found, and the same in words."""
    return {
        **stretch.record,
        "provisional": stretch.provisional,
        "text": normalise_sentence(stretch.record, stretch.provisional),
    }


def _exports(job: Job) -> list[str]:
    """The files that a run leaves beside the store, by their forms."""
    exports = job.config.output.exports
    if exports == "auto":
        return ["cog"]
    return [f"{one.to} of {one.layer}" if one.layer else one.to for one in exports]


def _cost(job: Job) -> AoiCost:
    """Pixels asked for, inferred and decoded."""
    layout = job.task.layout
    if job.task.area is not None:
        return cost_of_aoi(job.task.area, layout, job.blocks, job.source.block, job.plan.sharing)
    pixels = layout.height * layout.width
    return AoiCost(
        requested=pixels,
        network=pixels * layout.arithmetic_overhead(),
        read=pixels * job.plan.sharing.amplification,
        largest=job.plan.tiles.size**2,
    )


def plan_metrics(job: Job) -> dict[str, Any]:
    """Its main numbers, flat, for machines."""
    facts = describe(job)
    raster, tile, blocks, used = facts["raster"], facts["tile"], facts["blocks"], facts["memory"]
    return {
        "store": str(job.path),
        "height": raster["height"],
        "width": raster["width"],
        "blocks": blocks["count"],
        "block": blocks["size"],
        "tile": tile["size"],
        "halo": facts["halo"]["px"],
        "step": tile["step"],
        "arithmetic_overhead": facts["arithmetic_overhead"],
        "read_amplification": facts["read_amplification"],
        "memory_projected": used["projected"],
        "memory_budget": used["budget"],
        "estimated_seconds": facts["estimated_seconds"],
        "device": facts["device"],
        "precision": facts["precision"],
        "engine": facts["engine"],
        "in_flight": blocks["in_flight"],
        "resumes": job.resumes,
        "locked": job.config.locked is not None,
    }


def headline(job: Job) -> str:
    """The plan in one line."""
    tiles, layout = job.plan.tiles, job.task.layout
    work = _work(job, _cost(job)) * job.plan.cropped_work
    blocks = f"{layout.count:,}" if job.task.area is None else f"{job.blocks:,} of {layout.count:,}"
    meet = f"halo {tiles.halo} px" if tiles.halo is not None else f"blended every {tiles.step} px"
    return (
        f"{layout.height} × {layout.width} px in {blocks} blocks of {tiles.block} px, tiles up to "
        f"{tiles.size} px, {meet} ({tiles.why}); "
        f"{work:.2f} × the arithmetic, {human(job.plan.peak)} of {human(job.plan.budget)} projected, on "
        f"{job.task.device}"
    )


def _on_device(job: Job) -> dict[str, Any] | None:
    """Of a device with memory of its own."""
    plan = job.plan
    return (
        None
        if plan.worker_layout.device is None
        else {"room": plan.worker_layout.device, "projected": sum(plan.on_device.values()), "buffers": plan.on_device}
    )


def _described_area(area: RequestedArea, cost: AoiCost, pixels: int) -> dict[str, Any]:
    return {
        "path": area.place,
        "pixels": cost.requested,
        "share": cost.requested / pixels,
        "notes": list(area.notes),
    }


def _radius(job: Job) -> int | str:
    return job.locality.radius.largest if job.locality.radius else "unbounded"
