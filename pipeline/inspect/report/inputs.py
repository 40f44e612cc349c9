"""Inputs of a network of several: their bands, and how far an output pixel looks in each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.interfaces import Locality, Network, Radius


def input_facts(network: Network, locality: Locality) -> list[dict[str, Any]]:
    """Of each input, in the order of the bands: ``name``, ``bands`` and ``radius``, px on each side.

    ``radius`` is None where the reach has no bound, and absent where each input was not measured by itself, as of
    networks of one size. Empty of a network of one input.
    """
    reaches = {reach.name: reach.radius for reach in locality.inputs}
    return [
        {
            "name": entry.name,
            "bands": entry.bands,
            **({"radius": _plain(reaches[entry.name])} if entry.name in reaches else {}),
        }
        for entry in network.inputs
    ]


def reach_text(facts: dict[str, Any]) -> str:
    """How far an output pixel looks in one input, in words."""
    if "radius" not in facts:
        return "its reach was not measured apart from the others'"
    radius = facts["radius"]
    if radius is None:
        return "no bound to its radius"
    sides = set(radius.values())
    if len(sides) == 1:
        return f"radius {sides.pop()} px"
    return "radius " + ", ".join(f"{side} {px}" for side, px in radius.items()) + " px"


def input_sentences(facts: list[dict[str, Any]]) -> list[str]:
    """A sentence for each input."""
    return [f"{one['name']}: {one['bands']} band{'s' * (one['bands'] > 1)}, {reach_text(one)}" for one in facts]


def _plain(radius: Radius | None) -> dict[str, int] | None:
    return None if radius is None else asdict(radius)
