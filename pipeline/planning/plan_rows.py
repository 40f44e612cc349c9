"""A plan for a person: rows of a name and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config.families import ENGINE_FACTS, EngineFacts
from pipeline.inspect.report.inputs import input_sentences
from pipeline.planning.describe import describe
from pipeline.planning.job import Job
from pipeline.planning.member_text import member_sentences
from pipeline.planning.option import option_sentences
from pipeline.planning.options import OPTIONS
from pipeline.planning.types import VIEWS_PER_TILE
from pipeline.runtime.resources import human

RowPairs = Iterator[tuple[str, str]]
GOES_ON = (
    "`run` compares the pixels of the blocks that are committed and goes on where they are the same; "
    "with --same-source it goes on without a look"
)
"""What becomes of a store whose source lies elsewhere."""


def plan_rows(job: Job) -> list[tuple[str, str]]:
    """A job for a person: rows of a name and a sentence."""
    facts = describe(job)
    return [
        *_raster_rows(job, facts),
        *_network_rows(facts),
        *_tile_rows(facts),
        *_memory_rows(facts),
        *_output_rows(job, facts),
        *_time_rows(facts),
    ]


def _raster_rows(job: Job, facts: dict[str, Any]) -> RowPairs:
    raster = facts["raster"]
    size = f"{raster['height']} × {raster['width']} px, {raster['bands']} bands of {raster['dtype']}"
    yield "raster", f"{size}, {job.source.grid.code or 'no CRS code'}"
    yield from (("", note) for note in raster["notes"])
    if raster["moved"]:
        yield "", f"{raster['moved']}: {GOES_ON}"
    for key, sentence in option_sentences(OPTIONS, job.resolved).items():
        yield key.split(".")[-2], sentence


def _network_rows(facts: dict[str, Any]) -> RowPairs:
    network = facts["network"]
    blame = f"; to blame: {', '.join(network['blame'])}" if network["blame"] else ""
    measured = f"{network['verdict']}, stride {network['stride']} px, radius {network['radius']} px{blame}"
    yield "network", f"{measured}; {network['fold']}{'; compiled' if network['compile'] else ''}"
    yield "runtime", ": ".join(filter(None, (network["runtime"], network["runtime_choice"])))
    yield from (("", text) for text in (network["address"], *network["revision"]) if text)
    yield from (("", text) for text in member_sentences(network.get("members", ())))
    for number, sentence in enumerate(input_sentences(network.get("inputs", []))):
        yield "inputs" if number == 0 else "", sentence
    for number, sentence in enumerate(network.get("description", [])):
        yield "description" if number == 0 else "", sentence
    yield from _area_rows(facts)
    yield from (("weights", note) for note in network["notes"])
    yield from (("answer", remark) for remark in network["remarks"])


def _tile_rows(facts: dict[str, Any]) -> RowPairs:
    halo, blocks = facts["halo"], facts["blocks"]
    yield "halo", halo["why"] if halo["px"] is None else f"{halo['px']} px: {halo['why']}"
    yield "tile", _tile(facts)
    files = f"chunk {blocks['chunk']} px, shard {blocks['shard'] or 'none'}"
    yield "blocks", f"{_blocks(facts)} of {blocks['size']} px, {_hands(facts)}; {files}"
    yield "arithmetic", _arithmetic(facts)
    yield "reading", _reading(facts)


def _memory_rows(facts: dict[str, Any]) -> RowPairs:
    used = facts["memory"]
    yield "memory", f"{human(used['projected'])} projected, {human(used['budget'])} allowed"
    yield from (("", f"{name}: {human(size)}") for name, size in used["buffers"].items())
    if (quicker := used["quicker"]) is not None:
        saving = f"about {quicker['saving']:.0%} of the network's time"
        yield "", f"tiles of {quicker['size']} px (tile.size) would take {human(quicker['peak'])} and save {saving}"
    yield from _device_memory(facts)


def _output_rows(job: Job, facts: dict[str, Any]) -> RowPairs:
    yield "output", f"{human(facts['output_bytes_before_compression'])} before compression, at {job.path}"
    yield "exports", ", ".join(facts["exports"]) or "none"
    yield from _postprocess(job)
    yield "device", f"{facts['device']}, {facts['precision']}, {threads(facts)}, engine {facts['engine']}"


def _time_rows(facts: dict[str, Any]) -> RowPairs:
    if (seconds := facts["estimated_seconds"]) is not None:
        yield "time", f"about {duration_text(seconds)} of the network alone, from one small image just now"


def _area_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    area = facts["area"]
    if area is None:
        return []
    row = f"{area['pixels']:,} px, {area['share']:.2%} of the raster, in {area['path']}"
    return [("area", row), *(("", note) for note in area["notes"])]


def _postprocess(job: Job) -> list[tuple[str, str]]:
    """Steps, each with its resolved size."""
    if job.cleaning is None:
        return []
    stored = [("", "by the steps that the store names: output.postprocess is not given")] * job.cleaning.is_stored
    first, *others = (step.sentence for step in job.cleaning.steps)
    return [("cleaned", first), *(("", sentence) for sentence in others), *stored]


def _device_memory(facts: dict[str, Any]) -> list[tuple[str, str]]:
    used = facts["device_memory"]
    if used is None:
        return []
    halved = (
        ""
        if used["projected"] <= used["room"]
        else f"; {'batches' if facts['tile']['step'] else 'tiles'} that do not fit are halved"
    )
    buffers = [("", f"{name}: {human(size)}") for name, size in used["buffers"].items()]
    return [("on device", f"{human(used['projected'])} projected, {human(used['room'])} allowed{halved}"), *buffers]


def _blocks(facts: dict[str, Any]) -> str:
    blocks = facts["blocks"]
    return (
        f"{blocks['count']:,}"
        if facts["area"] is None
        else f"{blocks['count']:,} that touch the area, of {blocks['of']:,}"
    )


def _hands(facts: dict[str, Any]) -> str:
    blocks, engine = facts["blocks"], ENGINE_FACTS.get(facts["engine"], EngineFacts())
    if engine.workers == "scheduler":
        return "as many in flight in each worker as it has threads"
    each = (
        f" in each of {blocks['processes']} processes{' of a job' if engine.workers == 'job' else ''}"
        if engine.out_of_process
        else ""
    )
    return f"{blocks['in_flight']} in flight{each}"


def _tile(facts: dict[str, Any]) -> str:
    tile = facts["tile"]
    averaged = tile.get("averaged", tile["blend"])
    if not tile["step"]:
        meet = f"at most {tile['size']} px, core {tile['core']} px"
    else:
        several = f", {tile['batch']} at once" if tile["batch"] > 1 else ""
        meet = f"{tile['size']} px every {tile['step']} px, taper {tile['taper']}, {averaged} averaged{several}"
    return (
        meet
        if tile["augment"] == "none"
        else f"{meet}; each {VIEWS_PER_TILE[tile['augment']]} times ({tile['augment']}), {averaged} averaged"
    )


def _arithmetic(facts: dict[str, Any]) -> str:
    words = f"{facts['arithmetic_overhead']:.2f} × {_whose(facts)} pixels go through the network"
    if facts["cropping"]["arithmetic"] < facts["arithmetic_overhead"]:
        words += f", whose layers crop halos on their way: {facts['cropping']['arithmetic']:.2f} × the arithmetic"
    return (
        words
        if not facts["tile"]["step"]
        else f"{words}; tiles that straddle blocks are computed for each, which adds {facts['recomputed']:.1%}"
    )


def _reading(facts: dict[str, Any]) -> str:
    rows, cols = facts["reading"]["file_block"]
    done = "warped, in units" if facts["reading"]["warped"] else "decoded, from the file's blocks"
    words = f"{facts['read_amplification']:.2f} × {_whose(facts)} pixels are {done} of {rows} × {cols} px"
    if not facts["reading"]["held"]:
        return words
    swaths = f", in {facts['reading']['swaths']:,} swaths" if facts["reading"]["swaths"] > 1 else ""
    return f"{words}{swaths}; {human(facts['reading']['held'])} are held for neighbouring blocks"


def _whose(facts: dict[str, Any]) -> str:
    return "the raster's" if facts["area"] is None else "the area's"


def threads(facts: dict[str, Any]) -> str:
    """Of `describe`, or of what a report keeps of it: tiles at once, and threads of each."""
    many = f"{facts['threads']} intra-op thread{'s' if facts['threads'] > 1 else ''}"
    streams = facts.get("streams", 1)  # reports of earlier releases know none
    return many if streams == 1 else f"{streams} tiles at once with {many} each"


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
