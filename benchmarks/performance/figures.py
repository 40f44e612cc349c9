"""From the record of all runs to figures: medians over the rounds, and their ratios to the ceilings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a part of the work can do here."""

    name: str
    status: str
    mpx_per_s: float
    """0 where it was never measured."""
    side: int | None
    """Of the tiles, px, where there are tiles."""
    others: float
    """Cores that other programs kept busy meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The medians of one way; None is what it does not tell."""

    name: str
    status: str
    rounds: int = 0
    command: float | None = None
    """Mpx/s of the whole command, from start to end."""
    of_ceiling: float | None = None
    """Of that, as a part of the slowest of the ceilings: network, reading, writing."""
    blocks: float | None = None
    """Mpx/s without the start, by its own clock."""
    overhead: float | None = None
    """Pixels through the network per pixel of the raster."""
    worked: float | None = None
    """Seconds that these pixels take at the network's ceiling, as a part of the seconds of the command."""
    worked_blocks: float | None = None
    """The same of the seconds by its own clock."""
    busy: float | None = None
    """Share of the time in which the device worked, by its own report."""
    peak: float | None = None
    """Bytes, from outside."""
    own_peak: float | None = None
    """Bytes, by its own report."""
    projected: float | None = None
    """Projected bytes per byte of the peak from outside."""
    pixels: int | None = None
    """Labels that were compared."""
    differ: int | None = None
    """Labels that differ from one forward pass and do not tie."""
    ties: int | None = None
    """Labels that differ where two classes tie."""
    others: float | None = None
    """Cores that other programs kept busy meanwhile."""


def ceilings(document: Record, network: str) -> list[Ceiling]:
    """All of one network, each at its best side."""
    return [ceiling for _, ceiling in _ceilings(document, network)]


def best(document: Record, network: str, precision: str = "float32") -> float:
    """Mpx/s of the network at its fastest, in float32 or at a lower precision."""
    return max(
        (
            c.mpx_per_s
            for run, c in _ceilings(document, network)
            if run["group"] == "forward" and run["precision"] == precision
        ),
        default=0.0,
    )


def slowest(document: Record, network: str, precision: str = "float32") -> float:
    """Mpx/s of the slowest of network, reading and writing: no run can be faster. 0 where one of them is not known."""
    machine = [c.mpx_per_s for run, c in _ceilings(document, network) if run["group"] == "machine"]
    return min([best(document, network, precision), *machine])


def rows(document: Record, network: str) -> list[Row]:
    """Ours and the peers, in the order in which they were run."""
    grouped = by_way(run for run in document["runs"] if run["network"] == network and run["group"] in ("ours", "peer"))
    return [_row(document, network, runs) for runs in grouped.values()]


def by_way(runs: Iterable[Record]) -> dict[str, list[Record]]:
    """Runs of each way."""
    found: dict[str, list[Record]] = {}
    for run in runs:
        found.setdefault(run["way"], []).append(run)
    return found


def _ceilings(document: Record, network: str) -> list[tuple[Record, Ceiling]]:
    grouped = by_way(r for r in document["runs"] if r["network"] == network and r["group"] in ("forward", "machine"))
    return [(runs[0], _ceiling(name, runs)) for name, runs in grouped.items()]


def _ceiling(name: str, runs: list[Record]) -> Ceiling:
    good, status, others = (
        [run for run in runs if run["status"] == "ok"],
        _failed(runs),
        median(run["others"] for run in runs),
    )
    if not good:
        return Ceiling(name=name, status=status, mpx_per_s=0.0, side=None, others=others)
    if runs[0]["group"] == "machine":
        return Ceiling(
            name=name,
            status=status,
            mpx_per_s=median(run["answer"]["mpx_per_s"] for run in good),
            side=None,
            others=others,
        )
    rates = {
        side: median(run["answer"]["rates"][side] for run in good if side in run["answer"]["rates"])
        for side in good[0]["answer"]["rates"]
    }
    side = max(rates, key=lambda side: rates[side])
    return Ceiling(name=name, status=status, mpx_per_s=rates[side], side=int(side), others=others)


def _failed(runs: list[Record]) -> str:
    """Why a way did not come to its end in some round; ok where it always did."""
    return next((run["status"] for run in runs if run["status"] != "ok"), "ok")


def _row(document: Record, network: str, runs: list[Record]) -> Row:
    good = [run for run in runs if run["status"] == "ok"]
    failed = _failed(runs)
    if not good:
        return Row(name=runs[0]["way"], status=failed)
    wall, seconds, overhead = (
        _median(good, pick) for pick in (lambda r: r["wall"], lambda r: r["answer"].get("seconds"), _overhead)
    )
    mpx, precision, peak = (
        document["networks"][network]["pixels"] / 1e6,
        good[0]["precision"],
        _median(good, lambda r: r["peak"]),
    )
    ceiling, floor = best(document, network, precision), slowest(document, network, precision)
    work = _ratio(None if overhead is None else mpx * overhead, ceiling)
    compared: dict[str, int] = next((run["agreement"] for run in good if run.get("agreement")), {})
    return Row(
        name=runs[0]["way"],
        status=failed,
        rounds=len(good),
        overhead=overhead,
        peak=peak,
        command=_ratio(mpx, wall),
        of_ceiling=_ratio(_ratio(mpx, wall), floor),
        blocks=_ratio(mpx, seconds),
        worked=_ratio(work, wall),
        worked_blocks=_ratio(work, seconds),
        busy=_median(good, _busy),
        own_peak=_median(good, lambda r: r["answer"].get("peak_memory")),
        projected=_ratio(_median(good, lambda r: r["answer"].get("projected_memory")), peak),
        others=_median(good, lambda r: r["others"]),
        **compared,
    )


def _overhead(run: Record) -> float | None:
    answer, ours = run["answer"], run["group"] == "ours"
    found: float | None = answer["plan"]["arithmetic_overhead"] if ours else answer.get("overhead")
    return found


def _busy(run: Record) -> float | None:
    said = run["answer"].get("device")
    return said.get("busy") if isinstance(said, dict) else None


def _median(runs: list[Record], pick: Any) -> float | None:
    found = [value for value in map(pick, runs) if value is not None]
    return median(found) if found else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None
