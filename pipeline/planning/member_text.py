"""The networks of an ensemble in words and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.inspect.memory.members import EnsembleMemory
from pipeline.models.ensemble import Ensemble
from pipeline.planning.job import Job
from pipeline.runtime.resources import human


def described_members(job: Job) -> list[dict[str, Any]] | None:
    """What was decided and measured of each network, as plain values; None where there is one."""
    network = job.network
    if not isinstance(network, Ensemble) or len(network.members) == 1:
        return None
    total = sum(member.weight for member in network.members)
    costs = job.footprint.members if isinstance(job.footprint, EnsembleMemory) else ()
    seconds = sum(cost.seconds_per_pixel for cost in costs)
    facts = []
    for number, member in enumerate(network.members):
        locality, radius = member.locality, member.locality.radius if member.locality else None
        facts.append(
            {
                "name": member.name,
                "weight": member.weight / total,
                "activation": member.activation,
                "temperature": member.temperature,
                "verdict": locality.verdict if locality else None,
                "stride": locality.stride if locality else None,
                "radius": radius.largest if radius else "unbounded",
                "bytes_per_pixel": round(costs[number].bytes_per_pixel) if costs else None,
                "time_share": costs[number].seconds_per_pixel / seconds if seconds else None,
            }
        )
    return facts


def member_sentences(members: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A sentence of each."""
    for facts in members:
        temperature = f", temperature {facts['temperature']:g}" if facts["temperature"] != 1 else ""
        cost = (
            ""
            if facts["bytes_per_pixel"] is None
            else f"; {human(facts['bytes_per_pixel'])} per px, {facts['time_share'] or 0:.0%} of the time"
        )
        yield (
            f"{facts['name']}: weight {facts['weight']:.3g}, {facts['activation']}{temperature}, {facts['verdict']}, "
            f"stride {facts['stride']} px, radius {facts['radius']} px{cost}"
        )
