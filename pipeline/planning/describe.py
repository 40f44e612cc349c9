"""A job in words and numbers: what `plan` prints and the report keeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.config.families import ENGINE_FACTS, EngineFacts
from pipeline.inference.normalise import Adjustment
from pipeline.planning.aoi_cost import AoiCost, cost_of_aoi
from pipeline.planning.job import Job
from pipeline.planning.normalise_text import normalise_sentence
from pipeline.planning.option import option_sentences, plan_values
from pipeline.planning.options import OPTIONS
from pipeline.planning.sameness import source_change
from pipeline.planning.types import VIEWS_PER_TILE
from pipeline.runtime.resources import human
from pipeline.sources.only.area import RequestedArea

STORED = 4 / 3
"""Bytes stored per byte of full resolution: overviews add a third."""
GOES_ON = (
    "`run` compares the pixels of the blocks that are committed and goes on where they are the same; "
    "with --same-source it goes on without a look"
)
"""What becomes of a store whose source lies elsewhere."""


def describe(job: Job) -> dict[str, Any]:
    """Everything that was decided, as plain values."""
    grid, tiles, layout = job.source.grid, job.plan.tiles, job.task.layout
    cost, pixels = _cost(job), grid.height * grid.width
    per_pixel = sum(job.spec.layer(name).bytes_per_pixel for name in job.finished_spec.layers)
    work = cost.network / cost.requested * VIEWS_PER_TILE[tiles.augment]
    return {
        "raster": {
            "height": grid.height,
            "width": grid.width,
            "bands": job.source.bands,
            "dtype": str(job.source.dtype),
            "crs": grid.code or grid.wkt,
            "notes": list(job.source.notes),
            "transform": option_sentences(OPTIONS, job.resolved).get("model.input.transform"),
            **({} if job.stretch is None else {"normalise": _normalise(job.stretch)}),
            "moved": source_change(job),
        },
        "network": {
            "verdict": job.locality.verdict,
            "stride": job.locality.stride,
            "radius": _radius(job),
            "blame": list(job.locality.blame),
            "notes": list(job.network.notes),
            "fold": job.fold,
            "compile": job.task.recipe.compile,
            "remarks": list(job.remarks),
            "address": job.config.model.address,
            "revision": list(job.revision),
        },
        "halo": {"px": tiles.halo, "exact": tiles.exact, "why": tiles.why},
        "tile": {"size": tiles.size, "core": tiles.core, **plan_values(OPTIONS, job.resolved, tile=True)},
        "blocks": {
            "size": tiles.block,
            "count": job.blocks,
            "of": layout.count,
            "in_flight": job.plan.workers,
            "processes": job.plan.worker_layout.processes,
            "chunk": tiles.chunk,
            "shard": tiles.shard,
        },
        "postprocess": None if job.cleaning is None else [step.sentence for step in job.cleaning.steps],
        "area": _described_area(job.task.area, cost, pixels) if job.task.area else None,
        "arithmetic_overhead": round(work, 4),
        "recomputed": round(layout.blend_recompute_share(), 4),
        "read_amplification": round(cost.read / cost.requested, 4),
        "reading": {
            "file_block": list(job.source.block),
            "held": job.plan.sharing.cached_bytes,
            "swaths": job.plan.sharing.swaths,
            "warped": job.config.source.grid is not None,
        },
        "memory": {"budget": job.plan.budget, "projected": job.plan.peak, "buffers": job.plan.buffers},
        "device_memory": _on_device(job),
        "output_bytes_before_compression": round(cost.requested * per_pixel * (STORED if job.spec.levels > 1 else 1)),
        "exports": _exports(job),
        "estimated_seconds": round(cost.requested * work * job.footprint.seconds_per_pixel) if job.footprint else None,
        **plan_values(OPTIONS, job.resolved, tile=False),
        "streams": job.plan.worker_layout.streams,
        "engine": job.config.execution.engine,
        **({"values": asdict(job.spec.values)} if job.spec.values.channels else {}),
    }


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
    said = describe(job)
    raster, tile, blocks, used = said["raster"], said["tile"], said["blocks"], said["memory"]
    return {
        "store": str(job.path),
        "height": raster["height"],
        "width": raster["width"],
        "blocks": blocks["count"],
        "block": blocks["size"],
        "tile": tile["size"],
        "halo": said["halo"]["px"],
        "step": tile["step"],
        "arithmetic_overhead": said["arithmetic_overhead"],
        "read_amplification": said["read_amplification"],
        "memory_projected": used["projected"],
        "memory_budget": used["budget"],
        "estimated_seconds": said["estimated_seconds"],
        "device": said["device"],
        "precision": said["precision"],
        "engine": said["engine"],
        "in_flight": blocks["in_flight"],
        "resumes": job.resumes,
        "locked": job.config.locked is not None,
    }


def headline(job: Job) -> str:
    """The plan in one line."""
    tiles, layout = job.plan.tiles, job.task.layout
    cost = _cost(job)
    work, blocks = (
        cost.network / cost.requested * VIEWS_PER_TILE[tiles.augment],
        f"{layout.count:,}" if job.task.area is None else f"{job.blocks:,} of {layout.count:,}",
    )
    meet = f"halo {tiles.halo} px" if tiles.halo is not None else f"blended every {tiles.step} px"
    return (
        f"{layout.height} × {layout.width} px in {blocks} blocks of {tiles.block} px, tiles up to "
        f"{tiles.size} px, {meet} ({tiles.why}); "
        f"{work:.2f} × the arithmetic, {human(job.plan.peak)} of {human(job.plan.budget)} projected, on "
        f"{job.task.device}"
    )


def plan_rows(job: Job) -> list[tuple[str, str]]:
    """The same for a person: rows of a name and a sentence."""
    said = describe(job)
    raster, network, blocks, used = said["raster"], said["network"], said["blocks"], said["memory"]
    blame = f"; to blame: {', '.join(network['blame'])}" if network["blame"] else ""
    rows = [
        (
            "raster",
            f"{raster['height']} × {raster['width']} px, {raster['bands']} bands of {raster['dtype']}, "
            f"{job.source.grid.code or 'no CRS code'}",
        ),
        *[("", note) for note in raster["notes"]],
        *[("", f"{words}: {GOES_ON}") for words in (raster["moved"],) if words],
        *[(key.split(".")[-2], sentence) for key, sentence in option_sentences(OPTIONS, job.resolved).items()],
        (
            "network",
            f"{network['verdict']}, stride {network['stride']} px, radius {network['radius']} px{blame}; "
            f"{_made(network)}",
        ),
        *[("", text) for text in (network["address"], *network["revision"]) if text],
        *_area(said),
        *[("weights", note) for note in said["network"]["notes"]],
        *[("answer", remark) for remark in said["network"]["remarks"]],
        (
            "halo",
            f"{said['halo']['px']} px: {said['halo']['why']}"
            if said["halo"]["px"] is not None
            else said["halo"]["why"],
        ),
        ("tile", _tile(said)),
        (
            "blocks",
            f"{_blocks(said)} of {blocks['size']} px, {_hands(said)}; chunk {blocks['chunk']} px, shard "
            f"{blocks['shard'] or 'none'}",
        ),
        ("arithmetic", _arithmetic(said)),
        ("reading", _reading(said)),
        ("memory", f"{human(used['projected'])} projected, {human(used['budget'])} allowed"),
        *[("", f"{name}: {human(size)}") for name, size in used["buffers"].items()],
        *_device_memory(said),
        ("output", f"{human(said['output_bytes_before_compression'])} before compression, at {job.path}"),
        ("exports", ", ".join(said["exports"]) or "none"),
        *_postprocess(job),
        ("device", f"{said['device']}, {said['precision']}, {threads(said)}, engine {said['engine']}"),
    ]
    if said["estimated_seconds"] is not None:
        rows.append(
            (
                "time",
                f"about {duration_text(said['estimated_seconds'])} of the network alone, from one small image just now",
            )
        )
    return rows


def _postprocess(job: Job) -> list[tuple[str, str]]:
    """Steps, each with its resolved size."""
    if job.cleaning is None:
        return []
    stored = [("", "by the steps that the store names: output.postprocess is not given")] * job.cleaning.is_stored
    first, *others = (step.sentence for step in job.cleaning.steps)
    return [("cleaned", first), *(("", sentence) for sentence in others), *stored]


def _on_device(job: Job) -> dict[str, Any] | None:
    """Of a device with memory of its own."""
    plan = job.plan
    return (
        None
        if plan.worker_layout.device is None
        else {"room": plan.worker_layout.device, "projected": sum(plan.on_device.values()), "buffers": plan.on_device}
    )


def _device_memory(said: dict[str, Any]) -> list[tuple[str, str]]:
    used = said["device_memory"]
    if used is None:
        return []
    halved = (
        ""
        if used["projected"] <= used["room"]
        else f"; {'batches' if said['tile']['step'] else 'tiles'} that do not fit are halved"
    )
    buffers = [("", f"{name}: {human(size)}") for name, size in used["buffers"].items()]
    return [("on device", f"{human(used['projected'])} projected, {human(used['room'])} allowed{halved}"), *buffers]


def _made(network: dict[str, Any]) -> str:
    return f"{network['fold']}; compiled" if network["compile"] else str(network["fold"])


def _described_area(area: RequestedArea, cost: AoiCost, pixels: int) -> dict[str, Any]:
    return {
        "path": area.place,
        "pixels": cost.requested,
        "share": cost.requested / pixels,
        "notes": list(area.notes),
    }


def _area(said: dict[str, Any]) -> list[tuple[str, str]]:
    area = said["area"]
    if area is None:
        return []
    row = f"{area['pixels']:,} px, {area['share']:.2%} of the raster, in {area['path']}"
    return [("area", row), *(("", note) for note in area["notes"])]


def _blocks(said: dict[str, Any]) -> str:
    blocks = said["blocks"]
    return (
        f"{blocks['count']:,}"
        if said["area"] is None
        else f"{blocks['count']:,} that touch the area, of {blocks['of']:,}"
    )


def _hands(said: dict[str, Any]) -> str:
    blocks, facts = said["blocks"], ENGINE_FACTS.get(said["engine"], EngineFacts())
    if facts.workers == "scheduler":
        return "as many in flight in each worker as it has threads"
    each = (
        f" in each of {blocks['processes']} processes{' of a job' if facts.workers == 'job' else ''}"
        if facts.out_of_process
        else ""
    )
    return f"{blocks['in_flight']} in flight{each}"


def threads(said: dict[str, Any]) -> str:
    """Of `describe`, or of what a report keeps of it: tiles at once, and threads of each."""
    many = f"{said['threads']} intra-op thread{'s' if said['threads'] > 1 else ''}"
    streams = said.get("streams", 1)  # reports of earlier releases know none
    return many if streams == 1 else f"{streams} tiles at once with {many} each"


def _whose(said: dict[str, Any]) -> str:
    return "the raster's" if said["area"] is None else "the area's"


def _tile(said: dict[str, Any]) -> str:
    tile = said["tile"]
    if not tile["step"]:
        meet = f"at most {tile['size']} px, core {tile['core']} px"
    else:
        several = f", {tile['batch']} at once" if tile["batch"] > 1 else ""
        meet = f"{tile['size']} px every {tile['step']} px, taper {tile['taper']}, {tile['blend']} averaged{several}"
    return (
        meet
        if tile["augment"] == "none"
        else f"{meet}; each {VIEWS_PER_TILE[tile['augment']]} times ({tile['augment']}), {tile['blend']} averaged"
    )


def _arithmetic(said: dict[str, Any]) -> str:
    words = f"{said['arithmetic_overhead']:.2f} × {_whose(said)} pixels go through the network"
    return (
        words
        if not said["tile"]["step"]
        else f"{words}; tiles that straddle blocks are computed for each, which adds {said['recomputed']:.1%}"
    )


def _reading(said: dict[str, Any]) -> str:
    rows, cols = said["reading"]["file_block"]
    done = "warped, in units" if said["reading"]["warped"] else "decoded, from the file's blocks"
    words = f"{said['read_amplification']:.2f} × {_whose(said)} pixels are {done} of {rows} × {cols} px"
    if not said["reading"]["held"]:
        return words
    swaths = f", in {said['reading']['swaths']:,} swaths" if said["reading"]["swaths"] > 1 else ""
    return f"{words}{swaths}; {human(said['reading']['held'])} are held for neighbouring blocks"


def _radius(job: Job) -> int | str:
    return job.locality.radius.largest if job.locality.radius else "unbounded"


def duration_text(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return (
        f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
        if seconds < 172800
        else f"{seconds / 86400:.1f} days"
    )
