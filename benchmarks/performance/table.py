"""Figures as Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.performance import figures
from benchmarks.performance.figures import Row
from pipeline.planning.plan_rows import threads

SPEEDS = [
    "command, Mpx/s",
    "of the ceiling",
    "blocks, Mpx/s",
    "arithmetic",
    "at its rate: command",
    "at its rate: blocks",
    "device busy",
]
MEMORY = ["peak, GiB", "by its report", "projected / peak"]
HEADS = ["", *SPEEDS, *MEMORY, "labels that differ", "at ties", "others, cores"]


def tables(document: dict[str, Any]) -> str:
    """Everything that was measured, as a section for each network."""
    parts = [header(document), *(section(document, name) for name in document["networks"])]
    return "\n\n".join(parts)


def header(document: dict[str, Any]) -> str:
    """Machine, versions, raster and date."""
    machine, raster = document["machine"], document["raster"]
    versions = ", ".join(f"{name} {said}" for name, said in {**machine["versions"], **document["peers"]}.items())
    rounds = f"{document['rounds']} round{'s' if document['rounds'] > 1 else ''}"
    cores = (
        f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''} of {machine['cpu']} "
        f"({'with' if machine['bfloat16'] else 'without'} bfloat16)"
    )
    return (
        f"{machine['date']}: {raster['height']} × {raster['width']} px, {raster['bands']} bands of "
        f"{raster['dtype']}, {rounds}; {cores}, "
        f"{machine['memory'] / 2**30:.0f} GiB, {machine['system']}; {versions}."
    )


def section(document: dict[str, Any], name: str) -> str:
    """The tables of one network."""
    said = document["networks"][name]
    about = f"Stride {said['stride']} px, radius {said['radius']} px, {said['verdict']}. {_reference(said)}"
    notes = [note(runs[-1]) for runs in figures.by_way(_ours(document, name)).values()]
    return "\n\n".join([f"### {name}", about, ceilings(document, name), runs(document, name), "\n".join(notes)])


def ceilings(document: dict[str, Any], name: str) -> str:
    """What the machine can do."""
    found = figures.ceilings(document, name)
    rows = [
        [
            c.name,
            _number(c.mpx_per_s) if c.mpx_per_s else c.status,
            "" if c.side is None else f"{c.side} px",
            _number(c.others),
        ]
        for c in found
    ]
    return _markdown([["ceiling", "Mpx/s", "best tile", "others, cores"], *rows])


def runs(document: dict[str, Any], name: str) -> str:
    """Ours and the peers."""
    return _markdown([HEADS, *(cells(row) for row in figures.rows(document, name))])


def cells(row: Row) -> list[str]:
    """One way; what failed says why."""
    if not row.rounds:
        return [row.name, row.status, *[""] * (len(HEADS) - 2)]
    name = row.name if row.status == "ok" else f"{row.name} ({row.status} in some rounds)"
    differ = "" if row.pixels is None else f"{row.differ:,} ({row.differ / row.pixels:.2g})" if row.differ else "0"
    speeds = [row.command, row.of_ceiling, row.blocks, row.overhead, row.worked, row.worked_blocks, row.busy]
    numbers = [*speeds, _gib(row.peak), _gib(row.own_peak), row.projected]
    return [name, *map(_number, numbers), differ, "" if row.ties is None else f"{row.ties:,}", _number(row.others)]


def note(run: dict[str, Any]) -> str:
    """What the plan of a run of ours chose, and the most that its tiles can keep."""
    plan = run["answer"]["plan"]
    tile, halo = plan["tile"], plan["halo"]["px"]
    meet = plan["halo"]["why"]
    if halo is not None:
        most = (tile["core"] / tile["size"]) ** 2
        meet = (
            f"halo {halo} px, tiles of at most {tile['size']} px with a core of at most {tile['core']} "
            f"px, (core/tile)² = {most:.2f}"
        )
    useful = f"{1 / plan['arithmetic_overhead']:.2f} of the pixels that go through the network are kept"
    read = f"{plan['read_amplification']:.2f} × the raster's pixels are decoded"
    return f"- {run['way']}: {meet}; {useful}; {read}; {plan['precision']}, {threads(plan)}."


def _ours(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [
        run for run in document["runs"] if run["network"] == name and run["group"] == "ours" and run["status"] == "ok"
    ]


def _reference(said: dict[str, Any]) -> str:
    reference = said["reference"]
    if reference.get("labels") is None:
        return f"Labels were not compared: {reference['why']}."
    part = f"{reference['height']} × {reference['width']} px inside the raster, its margins beyond the radius left out"
    part = "the whole raster" if reference["whole"] else part
    return f"Labels are compared with one forward pass over {part}; {reference['tied']:,} of them tie."


def _gib(size: float | None) -> float | None:
    return None if size is None else size / 2**30


def _number(value: float | None) -> str:
    """Three digits, or nothing."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _markdown(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
